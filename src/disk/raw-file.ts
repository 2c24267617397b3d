/** Opens files and block devices of a disk as plain bytes. */
import { EspError } from '../error.ts';
import type { Machine, RawFile } from '../process/machine.ts';
import type { Disk, OpenFile } from './disk.ts';

/** A disk, and the machine that may have its devices. */
export interface DiskAndMachine {
  readonly disk: Disk;
  readonly machine: Pick<Machine, 'openRaw'>;
}

/**
 * Opens a file or block device for reading. On a disk outside the running system it opens files
 * only.
 * @throws {FILE_MISSING} when it does not exist, or is neither
 */
export function openBytes(path: string, { disk, machine }: DiskAndMachine): OpenFile {
  const hostPath = disk.hostPath(path);
  return hostPath === undefined ? disk.open(path) : machine.openRaw(hostPath, 'read');
}

/**
 * Opens a file or block device for writing in place. `replace` empties a file first. A missing file
 * is made.
 * @throws {FILE_MISSING} when it is neither a file nor a block device
 * @throws {CONFIG_INVALID} when the disk is not part of the running system
 */
export function openRaw(
  path: string,
  use: 'write' | 'replace',
  { disk, machine }: DiskAndMachine,
): RawFile {
  const hostPath = disk.hostPath(path);
  if (hostPath !== undefined) return machine.openRaw(hostPath, use);
  throw new EspError('CONFIG_INVALID', `${path}: expected a file of the running system`, {
    hint: 'write to a file outside of the image, and copy it there',
  });
}

/** Makes a file of zeros that takes no room. What was there is emptied first. Throws as {@link openRaw} does. */
export function makeSized(path: string, size: number, on: DiskAndMachine): void {
  using file = openRaw(path, 'replace', on);
  file.cut(size);
}
