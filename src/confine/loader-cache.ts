/**
 * Reads ld.so.cache, in which glibc's dynamic linker looks libraries up and which ldconfig writes.
 */
import type { ByteSource } from '../byte-source.ts';

/** All paths that the table has for a library's name, the preferred one first. */
export type LoaderCache = ReadonlyMap<string, readonly string[]>;

const MAGIC = 'glibc-ld.so.cache1.1';
const OLD_MAGIC = 'ld.so-1.7.0';
const [HEADER, ENTRY] = [48, 24];
const [OLD_HEADER, OLD_ENTRY] = [16, 12];
const ALIGNMENT = 8;

/** A bound on the entries of a table. That of a whole distribution has a few thousand. */
const MAX_ENTRIES = 1 << 18;
const MAX_SIZE = 64 * 1024 * 1024;
const MAX_STRING = 4096;

/**
 * Reads the table. Anything that is no such table, or is damaged, counts as empty: the dynamic
 * linker ignores it too.
 */
export function readLoaderCache(source: ByteSource): LoaderCache {
  if (source.size > MAX_SIZE) return new Map();
  const whole = source.read(0, source.size);
  const bytes = whole.subarray(newTableOffset(whole));
  if (!startsWith(bytes, MAGIC) || bytes.length < HEADER) return new Map();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // The table has the byte order of its machine. Read in the wrong order, the count is absurd.
  const little = view.getUint32(20, true) <= MAX_ENTRIES;
  const count = view.getUint32(20, little);
  if (count > MAX_ENTRIES || HEADER + count * ENTRY > bytes.length) return new Map();
  const paths = new Map<string, string[]>();
  for (let at = HEADER; at < HEADER + count * ENTRY; at += ENTRY) {
    const key = textAt(bytes, view.getUint32(at + 4, little));
    const value = textAt(bytes, view.getUint32(at + 8, little));
    if (key !== '' && value.startsWith('/')) paths.set(key, [...(paths.get(key) ?? []), value]);
  }
  return paths;
}

/** Returns where the table begins that we read: one in the older format may come before it. */
function newTableOffset(bytes: Uint8Array): number {
  if (!startsWith(bytes, OLD_MAGIC) || bytes.length < OLD_HEADER) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = Math.min(view.getUint32(12, true), view.getUint32(12, false));
  const end = OLD_HEADER + count * OLD_ENTRY;
  return Math.min(Math.ceil(end / ALIGNMENT) * ALIGNMENT, bytes.length);
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return textBetween(bytes, 0, text.length) === text;
}

function textAt(bytes: Uint8Array, offset: number): string {
  const limit = Math.min(offset + MAX_STRING, bytes.length);
  const end = bytes.subarray(0, limit).indexOf(0, offset);
  return end < 0 ? '' : textBetween(bytes, offset, end);
}

function textBetween(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(bytes.subarray(start, end));
}
