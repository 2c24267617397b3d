/** The files that an image is built from, each as it was when it was first looked at. */
import { resolve } from 'node:path';
import type { Disk, FileStat } from '../disk/disk.ts';
import { misuse } from './build-settings.ts';

/** Texts are read whole: far more than one takes. Bytes. */
const TEXT_LIMIT = 16 * 1024 * 1024;

/** Reads inputs and remembers them. */
export interface Inputs {
  /** Every file that was asked for, by path. */
  readonly seen: ReadonlyMap<string, FileStat>;
  /** Looks at a file. @throws {CONFIG_INVALID} when it is none */
  file(flag: string, path: string): { readonly path: string; readonly size: number };
  /** Returns what a value says: itself as UTF-8, or behind `@` what its file holds, byte for byte. */
  text(flag: string, value: string): Uint8Array;
  /** Returns the content of a file that is small. */
  read(flag: string, path: string): Uint8Array;
}

/** Returns the inputs on a disk. */
export function inputsOn(disk: Disk): Inputs {
  const seen = new Map<string, FileStat>();
  const file = (flag: string, given: string) => {
    const path = resolve(given);
    const stat = disk.stat(path);
    if (stat?.kind !== 'file') throw misuse(`--${flag}: ${path} is no file`);
    seen.set(path, stat);
    return { path, size: stat.size };
  };
  const read = (flag: string, path: string) => disk.read(file(flag, path).path, TEXT_LIMIT);
  return {
    seen,
    file,
    read,
    text: (flag, value) =>
      value.startsWith('@') ? read(flag, value.slice(1)) : new TextEncoder().encode(value),
  };
}
