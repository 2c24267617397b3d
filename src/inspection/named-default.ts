/** The entry that loader.conf of an ESP names. */
import type { Disk } from '../disk/disk.ts';
import { fatNamesReading } from '../disk/fat-names-disk.ts';
import { LOADER_CONF, LOADER_CONF_LIMIT, patternId } from '../esp/layout.ts';
import { readLoaderConf } from '../esp/loader-conf-file.ts';
import { namedNext, parseLoaderConf } from '../loader/loader-conf.ts';

/** Returns the ID of the entry that boots when nobody chooses, or undefined when the file names none. */
export function namedDefault(host: Disk, root: string): string | undefined {
  const disk = fatNamesReading(host, [root]);
  const path = `${root}/${LOADER_CONF}`;
  const stat = disk.stat(path);
  if (stat?.kind !== 'file' || stat.size > LOADER_CONF_LIMIT) return undefined;
  const pattern = namedNext(parseLoaderConf(readLoaderConf(path, disk)));
  return pattern && patternId(pattern);
}
