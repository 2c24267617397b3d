/**
 * The slots of a directory on FAT. One that never was in use ends the directory: firmware looks no
 * further. And while a directory grows there are moments in which firmware refuses it, or takes for
 * names what its new cluster held before.
 */
import type { WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { placeholderName, widePlaceholderName } from '../esp/layout.ts';
import { isFat, SLOT_BYTES, slotsOf } from '../esp/space.ts';

/** A name that may do without a long one. */
const SHORT = /^[^.]{1,8}(\.[^.]{1,3})?$/;
/** Slots of a wide placeholder. */
const WIDE = 20;
/** As many names as there are for this, more than a cluster of the largest size has slots. */
const MOST = 10000;
/** Slots that a directory is given when something is first written to it: the names of sixty entries. */
const RESERVED = 512;

/** What {@link reserveSlots} takes at most, in bytes: one cluster of the largest size. */
export const MOST_RESERVED = 64 << 10;

/**
 * Makes a directory as large as it will be for long, and each of its slots one that was in use. What
 * comes later finds a free slot: the directory need not grow while it has names that something boots
 * by, and a lost sector of it hides none. Does nothing to one that is as large already, or elsewhere
 * than on FAT.
 */
export async function reserveSlots(directory: string, disk: WritableDisk): Promise<void> {
  const size = sizeOf(directory, disk);
  if (size === 0 || size >= RESERVED) return;
  const { used, fresh } = namesIn(directory, disk);
  const free = RESERVED - used;
  const wide = fresh(free / WIDE, widePlaceholderName);
  // SAFETY: nothing boots yet by a directory that was just made. One that has names already grows this
  // once, and nothing else is being written while it does.
  await useOnce(directory, [...wide, ...fresh(free % WIDE, placeholderName)], disk);
}

/**
 * Makes every free slot of a directory one that was in use. The kernel puts new names behind slots that
 * never were: power lost in the middle of a directory that grows can leave such slots before names, and
 * no later run would fill them all by itself. Does nothing elsewhere than on FAT.
 */
export async function closeGaps(directory: string, disk: WritableDisk): Promise<void> {
  const size = sizeOf(directory, disk);
  if (size === 0) return;
  const { used, fresh } = namesIn(directory, disk);
  // SAFETY: before anything that tells of the lost sector is swept. Power lost until then leaves slots
  // that are closed, slots that are as open as before, and names that the next run does this again for.
  await useOnce(directory, fresh(size - used, placeholderName), disk);
}

/** Gives a directory these names and takes them away again, durably. */
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
    // The directory would have to grow, and cannot: then no slot of it is free any more.
    if (!(error instanceof EspError && error.code === 'ESP_FULL')) throw error;
  }
  for (const path of made) {
    // SAFETY: an empty file under a name that no loader lists. What boots does not change.
    disk.remove(path);
  }
  // SAFETY: the barrier. Power lost before it: some of the empty files are there, and the next run
  // sweeps them.
  disk.syncDirectory(directory);
}

/** Returns how many slots a directory on FAT has; none elsewhere. */
function sizeOf(directory: string, disk: WritableDisk): number {
  if (!isFat(directory, disk)) return 0;
  return Math.floor((disk.stat(directory)?.size ?? 0) / SLOT_BYTES);
}

/** What the names in a directory take and leave. */
interface Names {
  /** Slots: a lower bound, for a name may take more. */
  readonly used: number;
  /** Returns so many names that are not there yet: a run that was killed may have left some. */
  fresh(count: number, nameOf: (index: number) => string): readonly string[];
}

function namesIn(directory: string, disk: WritableDisk): Names {
  const entries = disk.list(directory) ?? [];
  const cost = (name: string) => (SHORT.test(name) ? 1 : slotsOf(name));
  const present = new Set(entries.map(({ name }) => name.toUpperCase()));
  return {
    // The directory's own name and its parent's come first.
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
