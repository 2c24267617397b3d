/** Every path on the ESP that we own or share, and the file names that are ours, both directions. */
import { base32, type Digest, parseBase32 } from '../digest.ts';

declare const brand: unique symbol;

/** A path relative to the root of the ESP, with `/` between its parts. */
export type EspPath = string & { readonly [brand]: 'EspPath' };

/** Returns the ESP path with these parts. */
export function espPath(...parts: readonly string[]): EspPath {
  return parts.filter((part) => part !== '').join('/') as EspPath;
}

export const IMAGES = espPath('EFI', 'Linux');
export const ENTRIES = espPath('loader', 'entries');
export const LOADER_CONF = espPath('loader', 'loader.conf');
/** The directories in which the two copies of the boot loader lie. */
export const LOADER_DIRECTORIES = {
  systemd: espPath('EFI', 'systemd'),
  fallback: espPath('EFI', 'BOOT'),
} as const;

/** Returns where the two copies of the boot loader lie, by the names that they have there. */
export function loaderPlaces(names: { readonly loader: string; readonly fallback: string }): {
  readonly systemd: EspPath;
  readonly fallback: EspPath;
} {
  const { systemd, fallback } = LOADER_DIRECTORIES;
  return {
    systemd: espPath(systemd, names.loader),
    fallback: espPath(fallback, names.fallback),
  };
}

/** The largest loader.conf that is taken as one, in bytes. */
export const LOADER_CONF_LIMIT = 64 * 1024;
/** What the settings of a foreign loader.conf became, for as long as it is being replaced. */
export const KEPT_SETTINGS = espPath('loader', 'espalier-settings.conf');
export const ENTRIES_SREL = espPath('loader', 'entries.srel');

/** A partition that a boot loader reads (BLS §The partitions). */
export type Volume = 'esp' | 'xbootldr';

/**
 * Directories and files that are on the ESP though there is an XBOOTLDR partition: what firmware
 * starts, and what the loader reads nowhere else. All else is on XBOOTLDR. In lower case, as FAT compares.
 */
const ON_ESP = [
  'efi/boot',
  'efi/systemd',
  'loader/espalier-settings.conf',
  'loader/keys',
  'loader/loader.conf',
  'loader/random-seed',
];
const ON_BOTH = ['', 'efi', 'loader'];

/** Returns the volumes on which a path lies where there is an XBOOTLDR partition: both, of what leads to files of both. */
export function volumesOf(path: EspPath): readonly Volume[] {
  const lower = path.toLowerCase();
  if (ON_BOTH.includes(lower)) return ['esp', 'xbootldr'];
  return [ON_ESP.some((place) => `${lower}/`.startsWith(`${place}/`)) ? 'esp' : 'xbootldr'];
}

/** Returns the directory of the content-addressed files of an entry token. */
export function blobDirectory(token: string): EspPath {
  return espPath('EFI', token);
}

/** The directory part of an ESP path: nothing, of one at the root. */
export function directoryOf(path: EspPath): EspPath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as EspPath;
}

/** The file name of an ESP path. */
export function fileName(path: EspPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What a content-addressed file is, and whether it is a program that a loader starts. */
const BLOB_KINDS = {
  kernel: { isProgram: true },
  initrd: { isProgram: false },
  devicetree: { isProgram: false },
} as const;

export type BlobKind = keyof typeof BLOB_KINDS;

/** What a content-addressed file's name says. */
export interface BlobName {
  readonly kind: BlobKind;
  readonly version: string;
  readonly digest: Digest;
}

const BLOB = new RegExp(
  `^(${Object.keys(BLOB_KINDS).join('|')})-([a-z0-9._+-]{1,64})-([a-z2-7]{52})\\.efi$`,
  'i',
);

/** Returns the file name of a content-addressed file. */
export function formatBlobName({ kind, version, digest }: BlobName): string {
  return `${kind}-${version}-${base32(digest)}.efi`;
}

/** Returns what a blob's name says, or undefined when the name is not ours. */
export function parseBlobName(name: string): BlobName | undefined {
  const match = BLOB.exec(name);
  const digest = match?.[3] === undefined ? undefined : parseBase32(match[3].toLowerCase());
  if (!match?.[1] || !match[2] || !digest) return undefined;
  return { kind: match[1].toLowerCase() as BlobKind, version: match[2], digest };
}

/** What an entry's file is: an image is the program that boots, a text (BLS §Type #1) names it. */
const ENTRY_KINDS = {
  uki: { suffix: '.efi', isProgram: true },
  type1: { suffix: '.conf', isProgram: false },
} as const;

export type EntryKind = keyof typeof ENTRY_KINDS;

/** What an entry's file name says. `slug` is a specialisation's name made safe: see {@link slug}. */
export interface EntryName {
  readonly kind: EntryKind;
  readonly generation: number;
  readonly slug?: string;
  readonly digest: Digest;
  /** Absent when the entry is not counted. */
  readonly counter?: BootCounter;
}

/** How often an entry may still be tried, and has been in vain (BLS §Boot counting). */
export interface BootCounter {
  /** None left: the entry is bad. */
  readonly triesLeft: number;
  readonly triesDone: number;
}

const COUNTER = /^(.*)\+(\d{1,9})(?:-(\d{1,9}))?$/;

/** Returns `name` without a boot counter: what systemd-boot calls the entry's ID. */
export function entryId(name: string): string {
  const dot = name.lastIndexOf('.');
  const counted = COUNTER.exec(name.slice(0, dot));
  return counted?.[1] === undefined ? name : counted[1] + name.slice(dot);
}

/** Returns the counter in an entry's file name, whoever's the entry is. */
export function bootCounter(name: string): BootCounter | undefined {
  const [, , left, done = 0] = COUNTER.exec(name.slice(0, name.lastIndexOf('.'))) ?? [];
  return left === undefined ? undefined : { triesLeft: Number(left), triesDone: Number(done) };
}

/** Returns the path of an entry that may be tried so many times. It has no counter yet. */
export function countedPath(path: EspPath, tries: number): EspPath {
  const dot = path.lastIndexOf('.');
  return `${path.slice(0, dot)}+${tries}${path.slice(dot)}` as EspPath;
}

/** Returns the file name of an entry. */
export function formatEntryName(token: string, name: EntryName): string {
  const specialisation = name.slug === undefined ? '' : `-specialisation-${name.slug}`;
  const counter = name.counter ? `+${name.counter.triesLeft}-${name.counter.triesDone}` : '';
  const id = base32(name.digest);
  return `${token}-generation-${name.generation}${specialisation}-${id}${counter}${ENTRY_KINDS[name.kind].suffix}`;
}

/** Returns what an entry's name says, or undefined when the name is not ours. */
export function parseEntryName(token: string, name: string): EntryName | undefined {
  const lower = name.toLowerCase();
  const kind = (Object.keys(ENTRY_KINDS) as EntryKind[]).find((each) =>
    lower.endsWith(ENTRY_KINDS[each].suffix),
  );
  const prefix = `${token}-generation-`;
  if (!kind || !lower.startsWith(prefix)) return undefined;
  const stem = lower.slice(prefix.length, -ENTRY_KINDS[kind].suffix.length);
  const match = /^(0|[1-9]\d{0,14})(?:-specialisation-([a-z0-9_.-]{1,64}))?-([a-z2-7]{52})$/.exec(
    COUNTER.exec(stem)?.[1] ?? stem,
  );
  const digest = match?.[3] === undefined ? undefined : parseBase32(match[3]);
  if (!match?.[1] || !digest) return undefined;
  const counter = bootCounter(lower);
  return {
    kind,
    generation: Number(match[1]),
    ...(match[2] === undefined ? {} : { slug: match[2] }),
    digest,
    ...(counter ? { counter } : {}),
  };
}

const KINDS = { ...ENTRY_KINDS, ...BLOB_KINDS };

/** Whether a file of this name of ours is a program that a loader starts. */
export function isProgram({ kind }: Pick<EntryName | BlobName, 'kind'>): boolean {
  return KINDS[kind].isProgram;
}

/**
 * Returns a specialisation's name as it may stand in a file name: lower case, at most 48 characters,
 * everything else than letters, digits, `.` and `-` as `_`. Two names may share a slug: the digest
 * beside it tells them apart.
 */
export function slug(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9.-]/g, '_')
      .slice(0, 48) || '_'
  );
}

const TEMPORARY = /^\.espalier-(\d{1,10}|\d{231})-\d{1,10}\.tmp$/;

/** Returns a name for a file that is being written; systemd-boot ignores names that start with a dot. */
export function temporaryName(processId: number, count: number): string {
  return `.espalier-${processId}-${count}.tmp`;
}

const PLACEHOLDER = /^ESPL\d{4}\.TMP$/i;

/** Returns a name that takes one slot of a directory on FAT. `index` is below 10000. */
export function placeholderName(index: number): string {
  return `ESPL${String(index).padStart(4, '0')}.TMP`;
}

/** Returns a name that takes 20 slots of a directory on FAT: one, and 19 for 247 characters. */
export function widePlaceholderName(index: number): string {
  return `.espalier-${String(index).padStart(231, '0')}-0.tmp`;
}

/** Whether a name is that of an unfinished file of ours. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name) || PLACEHOLDER.test(name) || isShortNameOf('.espalier-.tmp', name);
}

/** Names of which vfat makes short ones. Those of entries follow the token. */
const LONG_NAMES = [
  ...Object.keys(BLOB_KINDS).map((kind) => `${kind}-.efi`),
  ...['extra-files-.txt', 'espalier-settings.conf'],
  ...['systemd-boot.efi', 'loader.conf', 'entries.srel'],
];

/**
 * Whether a name is what vfat calls a file of ours whose long name is lost. Power failed while the name
 * was made: the file is empty, for its content gets the name only after that.
 */
export function isShortName(token: string, name: string): boolean {
  const entries = Object.values(ENTRY_KINDS).map(({ suffix }) => `${token}-generation-${suffix}`);
  return [...LONG_NAMES, ...entries].some((long) => isShortNameOf(long, name));
}

/** The rule by which vfat shortens: six characters and a number, and if those are taken, two and a hash. */
function isShortNameOf(long: string, name: string): boolean {
  // Nearly every name there is: not worth shortening anything for.
  if (!name.includes('~')) return false;
  const dot = long.lastIndexOf('.');
  const [base, extension] = [long.slice(0, dot), long.slice(dot + 1)].map((part) =>
    part
      .replace(/[. ]/g, '')
      .replace(/[+,;=[\]]/g, '_')
      .toUpperCase(),
  );
  const [, found = '', end] = /^([^~.]{1,6})~[1-9]\.(\w{3})$/.exec(name.toUpperCase()) ?? [];
  if (base === undefined || extension === undefined || end !== extension.slice(0, 3)) return false;
  return (
    found === base.slice(0, 6) ||
    (/^[0-9A-F]{4}$/.test(found.slice(2)) && found.startsWith(base.slice(0, 2)))
  );
}
