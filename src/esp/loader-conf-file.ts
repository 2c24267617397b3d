/** Reads a loader.conf from disk. */
import type { Disk } from '../disk/disk.ts';
import { LOADER_CONF_LIMIT } from './layout.ts';

/**
 * Returns the text of a loader.conf.
 * @throws {FILE_MISSING} when there is no such file
 * @throws {FILE_TOO_LARGE} when it is too large to be a loader.conf
 */
export function readLoaderConf(path: string, disk: Disk): string {
  return new TextDecoder().decode(disk.read(path, LOADER_CONF_LIMIT));
}
