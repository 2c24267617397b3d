/** A tree of files to make images from: always the same bytes, about half of which compress. */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** How many files, and how many bytes they have together. */
export interface TreeShape {
  readonly files: number;
  readonly bytes: number;
}

/** As libraries and documentation have them. */
const FILES_IN_DIRECTORY = 40;
const DIRECTORIES_IN_ONE = 25;
/** What pieces of files are taken from, and the longest of them, in bytes. */
const POOL = 1024 * 1024;
const LONGEST = 4096;

/** Makes the tree in a directory that does not exist yet. */
export function makeTree(root: string, { files, bytes }: TreeShape): void {
  const random = generator();
  const pool = aPool(random);
  for (let number = 0; number < files; number++) {
    const directory = Math.floor(number / FILES_IN_DIRECTORY);
    const above = join(root, `d${Math.floor(directory / DIRECTORIES_IN_ONE)}`, `d${directory}`);
    if (number % FILES_IN_DIRECTORY === 0) mkdirSync(above, { recursive: true });
    // Small ones and large ones: the mean of a square is a third.
    const share = random(1000) / 1000;
    const size = Math.round((3 * share * share * bytes) / files);
    writeFileSync(join(above, `library-number-${number}.so`), content(size, pool, random));
  }
}

/** Makes one file of a size in bytes, a multiple of a MiB. */
export function makeFile(path: string, bytes: number): void {
  const random = generator();
  const pool = aPool(random);
  const file = openSync(path, 'wx');
  for (let at = 0; at < bytes; at += POOL) writeSync(file, content(POOL, pool, random));
  closeSync(file);
}

/** Every second byte is a letter. */
function aPool(random: (below: number) => number): Uint8Array {
  return Uint8Array.from({ length: POOL }, (_, at) =>
    at % 2 === 0 ? random(256) : 97 + random(16),
  );
}

function content(size: number, pool: Uint8Array, random: (below: number) => number): Uint8Array {
  const made = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const length = Math.min(size - at, 1 + random(LONGEST));
    const from = random(POOL - LONGEST);
    made.set(pool.subarray(from, from + length), at);
    at += length;
  }
  return made;
}

/** Returns numbers below one that are always the same (a linear congruential generator). */
function generator(): (below: number) => number {
  let state = 20_261_130;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
