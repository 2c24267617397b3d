/** Where Node may keep what it compiled: a folder that only the user of this process can change. */
import * as fs from 'node:fs';
import { isAbsolute, join } from 'node:path';

/** The default of `--cache-dir`. */
const CACHE_DIRECTORY = '/var/cache/espalier';

/** What others may not do with the directory around the folder, and with the folder itself. */
const WRITABLE_BY_OTHERS = 0o022;
const OPEN_TO_OTHERS = 0o077;

/**
 * Returns the folder for Node's compile cache, `node` below `--cache-dir`, made with mode 0700 where it
 * is not there. Code is run from it: both directories must be the user's own and no links; others may
 * not write into the first, and can do nothing with the second.
 *
 * The command line and the environment say where the cache is; the configuration file would cost more
 * to read than there is to gain. A directory of a mounted system (`--root`) is never used.
 * @param argv the arguments of the program
 * @returns undefined when there is no such folder
 */
export function compileCacheFolder(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  uid: number,
): string | undefined {
  if (optionIn('root', argv) !== undefined || environment['ESPALIER_ROOT']) return undefined;
  const directory =
    optionIn('cache-dir', argv) ?? (environment['ESPALIER_CACHE_DIR'] || CACHE_DIRECTORY);
  const folder = join(directory, 'node');
  try {
    if (!isAbsolute(directory) || !isOwn(directory, uid, WRITABLE_BY_OTHERS)) return undefined;
    if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 0o700 });
    return isOwn(folder, uid, OPEN_TO_OTHERS) ? folder : undefined;
  } catch {
    // A read-only or broken file system costs the cache and nothing else.
    return undefined;
  }
}

/** Returns the value of an option as the command line gives it last. */
function optionIn(option: string, argv: readonly string[]): string | undefined {
  const flag = `--${option}`;
  const at = argv.findLastIndex((word) => word === flag || word.startsWith(`${flag}=`));
  if (at < 0) return undefined;
  return argv[at] === flag ? (argv[at + 1] ?? '') : argv[at]?.slice(flag.length + 1);
}

function isOwn(path: string, uid: number, forbidden: number): boolean {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === uid && (stats.mode & forbidden) === 0;
}
