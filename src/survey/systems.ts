/** Which systems run, and which a person asked to keep. */
import type { Disk } from '../disk/disk.ts';
import { openSource } from '../generation/sources.ts';
import type { Systems } from '../plan/menu.ts';
import type { Settings } from '../settings/settings.ts';
import { bootedSystem } from './booted.ts';

/** Reads which systems run and are pinned. */
export function readSystems(settings: Settings, disk: Disk): Systems {
  return {
    booted: bootedSystem(disk, settings.booted),
    pinned: openSource(settings, disk).pinned(),
  };
}
