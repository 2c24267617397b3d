/** Reads files that anybody may have written, and that may be gone by now. */
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';

/** Without a lock, a listed file may be gone a moment later. It then counts as absent. */
export function ifThere<T>(scan: () => T): T[] {
  try {
    return [scan()];
  } catch (error) {
    if (error instanceof EspError && error.code === 'FILE_MISSING') return [];
    throw error;
  }
}

/** Runs a parser over hostile bytes. Returns the reason if it refused them. */
export function attempt(parse: () => void): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    if (error instanceof EspError) return explain(error);
    throw error;
  }
}

/**
 * Returns the content of a file of at most `limit` bytes; undefined for a larger or missing file.
 */
export function readSmall(disk: Disk, path: string, limit: number): Uint8Array | undefined {
  const stat = disk.linkStat(path);
  return stat?.kind === 'file' && stat.size <= limit ? disk.read(path, limit) : undefined;
}

/** Decodes bytes as UTF-8, with a replacement character for invalid ones. */
export function decode(bytes: Uint8Array | undefined): string | undefined {
  return bytes && new TextDecoder().decode(bytes);
}
