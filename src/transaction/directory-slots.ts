/**
 * The slots of a directory on FAT. A slot that was never used ends the directory: firmware reads no
 * further. While a directory grows, firmware may refuse it for a moment, or read the old content of
 * the new cluster as names.
 */
import type { WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { isFat, SLOT_BYTES, slotsOf } from '../esp/space.ts';
import { placeholderName, widePlaceholderName } from '../esp/temporary-name.ts';

/** A name that may fit in one slot, without a long name. */
const SHORT = /^[^.]{1,8}(\.[^.]{1,3})?$/;
/** Slots that a wide placeholder takes. */
const WIDE = 20;
/** The most placeholder names: more than the slots of a cluster of the largest size. */
const MOST = 10000;
/**
 * Slots that a directory gets when it is first written to: enough for the names of sixty entries.
 */
const RESERVED = 512;

/** The most space that {@link reserveSlots} takes: one cluster of the largest size. In bytes. */
export const MOST_RESERVED = 64 << 10;

/**
 * Grows a directory to a size that lasts, and uses each of its slots once. Later names find a free
 * slot. So the directory does not grow while it holds names that boot, and a lost sector of it
 * hides no other name. Does nothing to a directory that is large enough, or that is not on FAT.
 */
export async function reserveSlots(directory: string, disk: WritableDisk): Promise<void> {
  const size = sizeOf(directory, disk);
  if (size === 0 || size >= RESERVED) return;
  // SAFETY: as below; such a disk does it without names.
  if (disk.useSlots) return disk.useSlots(directory, RESERVED);
  const { used, fresh } = namesIn(directory, disk);
  const free = RESERVED - used;
  const wide = fresh(free / WIDE, widePlaceholderName);
  // SAFETY: nothing boots yet from a directory that was just made. A directory with names grows
  // this once, and nothing else is being written meanwhile: what booted before boots still.
  await useOnce(directory, [...wide, ...fresh(free % WIDE, placeholderName)], disk);
}

/**
 * Uses every free slot of a directory once. The kernel puts new names behind slots that were never
 * used. Power lost while a directory grows can leave such slots before names, which firmware then
 * does not read, and no later run would fill them all by itself. Does nothing to a directory that
 * is not on FAT.
 */
export async function closeGaps(directory: string, disk: WritableDisk): Promise<void> {
  const size = sizeOf(directory, disk);
  if (size === 0) return;
  // SAFETY: as below; such a disk does it without names.
  if (disk.useSlots) return disk.useSlots(directory, 0);
  const { used, fresh } = namesIn(directory, disk);
  // SAFETY: this runs before the sweep of anything that tells of the lost sector. If power fails
  // here, some slots are closed and the others are as open as before. What booted before boots
  // still, and the remaining names make the next run repeat this.
  await useOnce(directory, fresh(size - used, placeholderName), disk);
}

/** Gives a directory these names and removes them again, durably. */
async function useOnce(
  directory: string,
  names: readonly string[],
  disk: WritableDisk,
): Promise<void> {
  const made: string[] = [];
  try {
    for (const name of names) {
      const path = `${directory}/${name}`;
      const file = await disk.create(path);
      made.push(path);
      await file.abandon();
    }
  } catch (error) {
    // The directory has no free slot left and cannot grow. Then every slot was used, as wanted.
    if (!(error instanceof EspError && error.code === 'ESP_FULL')) throw error;
  }
  for (const path of made) {
    // SAFETY: this is an empty file under a name that no loader lists. What booted before boots
    // still.
    disk.remove(path);
  }
  // SAFETY: the barrier. If power fails before it, some of the empty files stay and the next run
  // sweeps them. What booted before boots still.
  disk.syncDirectory(directory);
}

/** Returns how many slots a directory on FAT has; 0 for any other file system. */
function sizeOf(directory: string, disk: WritableDisk): number {
  if (!isFat(directory, disk)) return 0;
  return Math.floor((disk.stat(directory)?.size ?? 0) / SLOT_BYTES);
}

/** The names of a directory, and the slots that they take. */
interface Names {
  /** Slots in use, at least: a name may take more. */
  readonly used: number;
  /** Returns new names that the directory does not have: a killed run may have left some. */
  fresh(count: number, nameOf: (index: number) => string): readonly string[];
}

function namesIn(directory: string, disk: WritableDisk): Names {
  const entries = disk.list(directory) ?? [];
  const cost = (name: string) => (SHORT.test(name) ? 1 : slotsOf(name));
  const present = new Set(entries.map(({ name }) => name.toUpperCase()));
  return {
    // The entries of the directory itself and of its parent take the first two slots.
    used: entries.reduce((sum, { name }) => sum + cost(name), 2),
    fresh(count, nameOf) {
      const names: string[] = [];
      for (let index = 0; index < MOST && names.length < Math.floor(count); index++) {
        const name = nameOf(index);
        if (!present.has(name.toUpperCase())) names.push(name);
      }
      return names;
    },
  };
}
