/** Closes what a lost sector opens in a directory: free slots that hide the names behind them from firmware. */
import type { WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { placeholderName } from '../esp/layout.ts';

/** What statfs(2) reports of FAT. */
const FAT = 0x4d44;
/** Bytes of a slot (FAT §Directory structure). */
const SLOT = 32;
/** UTF-16 units of a long name in one slot. */
const UNITS = 13;
/** A name that may do without a long one. */
const SHORT = /^[^.]{1,8}(\.[^.]{1,3})?$/;
/** As many names as there are for this, more than a cluster of the largest size has slots. */
const MOST = 10000;

/**
 * Makes every free slot of a directory one that was in use. On FAT a slot that never was ends the
 * directory: firmware looks no further. The kernel does, and puts new names behind it: power lost in the
 * middle of a directory that grows can leave such slots before names, and no later run would fill them
 * all by itself. Does nothing elsewhere than on FAT.
 */
export async function closeGaps(directory: string, disk: WritableDisk): Promise<void> {
  if (disk.fileSystem(directory)?.type !== FAT) return;
  const names = Array.from({ length: freeSlots(directory, disk) }, (_, index) =>
    placeholderName(index),
  );
  const made: string[] = [];
  try {
    for (const name of names) {
      const path = `${directory}/${name}`;
      const file = await disk.create(path);
      made.push(path);
      await file.abandon();
    }
  } catch (error) {
    // The directory would have to grow: then no slot is free any more, which is what was wanted.
    if (!(error instanceof EspError && error.code === 'ESP_FULL')) throw error;
  }
  for (const path of made) {
    // SAFETY: an empty file under a name that no loader lists. What boots does not change.
    disk.remove(path);
  }
  // SAFETY: before anything that tells of the lost sector is swept. Power lost until then leaves slots
  // that are closed, slots that are as open as before, and names that the next run does this again for.
  disk.syncDirectory(directory);
}

/** Returns how many slots are free: if in doubt more, and then the directory grows by a cluster. */
function freeSlots(directory: string, disk: WritableDisk): number {
  const slotsOf = (name: string) => 1 + (SHORT.test(name) ? 0 : Math.ceil(name.length / UNITS));
  const names = disk.list(directory) ?? [];
  // The directory's own name and its parent's come first.
  const used = names.reduce((sum, { name }) => sum + slotsOf(name), 2);
  const slots = Math.floor((disk.stat(directory)?.size ?? 0) / SLOT);
  return Math.min(Math.max(slots - used, 0), MOST);
}
