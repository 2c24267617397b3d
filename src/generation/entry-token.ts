/** The entry token of a machine with installed kernels, as kernel-install has it. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/** In bytes. These files hold one word. */
const LIMIT = 4096;

/**
 * Returns the token: `/etc/kernel/entry-token`, else the machine ID, else `linux`. It is lower-case, as
 * names on FAT are, at most 32 characters long, and `_` stands for what no token may hold.
 */
export function entryToken(disk: Disk): string {
  const [named] = [firstWord(disk, '/etc/kernel/entry-token'), machineId(disk)].filter(Boolean);
  const token = (named ?? '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]/g, '_')
    .slice(0, 32);
  return /^[a-z0-9]/.test(token) ? token : 'linux';
}

/** Returns the ID of a machine that has one already (machine-id(5)). */
export function machineId(disk: Disk): string | undefined {
  const word = firstWord(disk, '/etc/machine-id');
  return word !== undefined && /^[0-9a-f]{32}$/.test(word) ? word : undefined;
}

function firstWord(disk: Disk, path: string): string | undefined {
  try {
    return new TextDecoder().decode(disk.read(path, LIMIT)).trim().split(/\s/, 1)[0] || undefined;
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}
