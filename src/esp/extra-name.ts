/**
 * Decides which paths a person may declare extra files for: those that FAT can store and that are
 * not ours.
 */
import {
  blobDirectory,
  directoryOf,
  ENTRIES,
  ENTRIES_SREL,
  type EspPath,
  entryId,
  fileName,
  IMAGES,
  KEPT_SETTINGS,
  LOADER_CONF,
  LOADER_DIRECTORIES,
} from './layout.ts';
import { isTemporaryName } from './temporary-name.ts';

/** The longest path on FAT without a drive letter, in UTF-16 units. */
const LIMIT = 250;
/** Printable ASCII. FAT and its readers disagree on which other letters are equal. */
const PRINTABLE = /^[ -~]+$/;
/** Characters that FAT allows in no name, or removes at either end. */
const NOT_ON_FAT = /["*/:<>?\\|]|^ |[ .]$/;

/** Returns what is wrong with a path for an extra file or an extra entry, or undefined. */
export function extraNameFault(path: EspPath, token: string): string | undefined {
  const parts = path.split('/');
  if (path.length > LIMIT) return `a path of at most ${LIMIT} characters`;
  if (!parts.every((part) => PRINTABLE.test(part) && !NOT_ON_FAT.test(part)))
    return 'a relative path without "..", of characters that FAT can have';
  if (entryId(fileName(path)) !== fileName(path)) return 'a name without a boot counter';
  if (isOurs(path.toLowerCase() as EspPath, token)) return 'a path that is not one of ours';
  return undefined;
}

/** Returns whether we or the boot loader use a path, given in lower case. */
function isOurs(path: EspPath, token: string): boolean {
  const isBelow = (directory: string) => `${path}/`.startsWith(`${directory.toLowerCase()}/`);
  const [directory, name] = [directoryOf(path), fileName(path)];
  return (
    OURS.some(isBelow) ||
    isBelow(blobDirectory(token)) ||
    LOADERS.some((loader) => loader.test(path)) ||
    isTemporaryName(name) ||
    ([IMAGES, ENTRIES].some((one) => one.toLowerCase() === directory) &&
      name.startsWith(`${token}-generation-`)) ||
    // A file cannot have the name of one of our directories.
    [IMAGES, ENTRIES, ...Object.values(LOADER_DIRECTORIES), blobDirectory(token)].some((one) =>
      `${one.toLowerCase()}/`.startsWith(`${path}/`),
    )
  );
}

const OURS = [
  LOADER_CONF,
  KEPT_SETTINGS,
  ENTRIES_SREL,
  'loader/keys',
  'loader/random-seed',
] as const;
const LOADERS = [/^efi\/systemd\/systemd-boot[a-z0-9]+\.efi$/, /^efi\/boot\/boot[a-z0-9]+\.efi$/];
