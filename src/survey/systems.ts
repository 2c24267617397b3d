/** Which systems run, and which a person asked to keep. */
import type { Disk } from '../disk/disk.ts';
import { findGenerationLinks } from '../generation/profile.ts';
import type { Systems } from '../plan/menu.ts';
import type { Settings } from '../settings/settings.ts';
import { bootedSystem } from './booted.ts';
import { pinsDirectory } from './pins.ts';

/** Reads which systems run and are pinned. */
export function readSystems(settings: Settings, disk: Disk): Systems {
  const pins = findGenerationLinks(disk, pinsDirectory(settings, disk));
  return {
    booted: bootedSystem(disk, settings.booted),
    pinned: pins.flatMap(({ path }) => disk.realPath(path) ?? []),
  };
}
