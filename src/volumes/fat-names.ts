/** Names on a target as FAT compares them, whatever the mount options make of case. */
import { fatNamesDisk, fatNamesReading } from '../disk/fat-names-disk.ts';
import type { Target } from '../esp/target.ts';

/** Returns a target on which every path leads to what is there under that name in any case. */
export function withFatNames(target: Target): Target {
  return {
    ...target,
    tree: fatNamesReading(target.tree, [target.root]),
    disk: fatNamesDisk(target.disk, [...target.mounted.keys()]),
  };
}
