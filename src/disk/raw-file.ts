/** Files and block devices of a disk as plain bytes. */
import { EspError } from '../error.ts';
import type { Machine, RawFile } from '../process/machine.ts';
import type { Disk, OpenFile } from './disk.ts';

/** A disk, and the machine that may have it. */
export interface Hands {
  readonly disk: Disk;
  readonly machine: Pick<Machine, 'openRaw'>;
}

/**
 * Opens a file or block device for reading. Of a disk that is no part of the running system, a file.
 * @throws {FILE_MISSING} when it does not exist, or is neither
 */
export function openBytes(path: string, { disk, machine }: Hands): OpenFile {
  const hostPath = disk.hostPath(path);
  return hostPath === undefined ? disk.open(path) : machine.openRaw(hostPath, 'read');
}

/**
 * Opens a file or block device to be written where it lies; `replace` empties a file first. A file that
 * does not exist is made.
 * @throws {FILE_MISSING} when it is neither a file nor a block device
 * @throws {CONFIG_INVALID} when the disk is no part of the running system
 */
export function openRaw(path: string, use: 'write' | 'replace', { disk, machine }: Hands): RawFile {
  const hostPath = disk.hostPath(path);
  if (hostPath !== undefined) return machine.openRaw(hostPath, use);
  throw new EspError('CONFIG_INVALID', `${path}: expected a file of the running system`, {
    hint: 'write to a file outside of the image, and copy it there',
  });
}
