/** The files that an image is built from, each as it was when it was first looked at. */
import { resolve } from 'node:path';
import type { Disk, FileStat } from '../disk/disk.ts';
import { trustCheck } from '../esp/untrusted-source.ts';
import { isPrivateKey, TELLING } from '../secureboot/private-key.ts';
import { misuse, secretIn } from './misuse.ts';

/** Texts are read whole: far more than one takes. Bytes. */
const TEXT_LIMIT = 16 * 1024 * 1024;

/** Reads inputs and remembers them. */
export interface Inputs {
  /** Every file that was asked for, by path. */
  readonly seen: ReadonlyMap<string, FileStat>;
  /** Looks at a file that goes into the image. @throws {CONFIG_INVALID} {SOURCE_UNTRUSTED} */
  file(flag: string, path: string): { readonly path: string; readonly size: number };
  /** Looks at a key or certificate, whose bytes do not go into the image. @throws {CONFIG_INVALID} */
  key(flag: string, path: string): void;
  /** Returns what a value says: itself as UTF-8, or behind `@` what its file holds, byte for byte. */
  text(flag: string, value: string): Uint8Array;
  /** Returns the content of a file that is small. */
  read(flag: string, path: string): Uint8Array;
}

/**
 * Returns the inputs on a disk.
 * @param isSigned whether a key vouches for what they hold: then none may lie on FAT
 */
export function inputsOn(disk: Disk, isSigned: boolean): Inputs {
  const seen = new Map<string, FileStat>();
  const contents = new Map<string, Uint8Array>();
  const requireTrusted = isSigned ? trustCheck([], disk) : undefined;
  const look = (flag: string, given: string) => {
    const path = resolve(given);
    const stat = seen.get(path) ?? disk.stat(path);
    if (stat?.kind !== 'file') throw misuse(`--${flag}: ${path} is no file`);
    seen.set(path, stat);
    return { path, size: stat.size };
  };
  const trusted = (flag: string, given: string) => {
    const found = look(flag, given);
    requireTrusted?.(found.path);
    return found;
  };
  const file = (flag: string, given: string) => {
    const found = trusted(flag, given);
    using opened = disk.open(found.path);
    if (isPrivateKey(opened.read(0, Math.min(TELLING, found.size)))) throw secretIn(flag);
    return found;
  };
  // What was checked is what goes into the image, so a file is read once.
  const read = (flag: string, given: string): Uint8Array => {
    const { path } = trusted(flag, given);
    const content = contents.get(path) ?? disk.read(path, TEXT_LIMIT);
    contents.set(path, content);
    return content;
  };
  return {
    seen,
    file,
    key: look,
    read,
    text: (flag, value) =>
      value.startsWith('@') ? read(flag, value.slice(1)) : new TextEncoder().encode(value),
  };
}
