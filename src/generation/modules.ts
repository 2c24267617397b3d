/** Finds the release of a system's kernel from the directory of its modules. */
import type { Disk } from '../disk/disk.ts';

/** What `uname -r` can say. */
export const RELEASE = /^\d[\w.+~-]{0,127}$/;

/**
 * Returns the output of `uname -r`: the kernel looks for its modules in a directory of that name.
 * Returns undefined when there is no such directory, or more than one.
 */
export function modulesRelease(disk: Disk, toplevel: string): string | undefined {
  const [found, ...others] = disk.list(`${toplevel}/kernel-modules/lib/modules`) ?? [];
  return others.length === 0 && found && RELEASE.test(found.name) ? found.name : undefined;
}
