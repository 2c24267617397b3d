/** How files are read that anybody may have written, and that may be gone by now. */
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';

/** Whoever looks without a lock may find a file gone that was listed a moment ago: then it is not there. */
export function ifThere<T>(scan: () => T): T[] {
  try {
    return [scan()];
  } catch (error) {
    if (error instanceof EspError && error.code === 'FILE_MISSING') return [];
    throw error;
  }
}

/** Runs a parser over hostile bytes and returns why it refused them, if it did. */
export function attempt(parse: () => void): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof EspError) return explain(error);
    throw error;
  }
}

/** Returns the content of a file of at most `limit` bytes; undefined for anything else. */
export function readSmall(disk: Disk, path: string, limit: number): Uint8Array | undefined {
  const stat = disk.linkStat(path);
  return stat?.kind === 'file' && stat.size <= limit ? disk.read(path, limit) : undefined;
}

/** Returns bytes as text; what is no UTF-8 in them is replaced. */
export function decode(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}
