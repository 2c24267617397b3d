/** Every path on the ESP that we own or share, and how our file names are formatted and parsed. */
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
/** The directories of the copies of the boot loader. */
export const LOADER_DIRECTORIES = {
  systemd: espPath('EFI', 'systemd'),
  fallback: espPath('EFI', 'BOOT'),
} as const;

/** The file names of the boot loader: of its two copies, and of the one before it. */
interface LoaderNames {
  readonly loader: string;
  readonly fallback: string;
  readonly previous: string;
}

/** Returns the paths of the two copies of the boot loader, and of the one before it. */
export function loaderPlaces(names: LoaderNames): {
  readonly systemd: EspPath;
  readonly fallback: EspPath;
  readonly previous: EspPath;
} {
  const { systemd, fallback } = LOADER_DIRECTORIES;
  return {
    systemd: espPath(systemd, names.loader),
    fallback: espPath(fallback, names.fallback),
    previous: espPath(systemd, names.previous),
  };
}

/** In bytes. A larger file is no loader.conf. */
export const LOADER_CONF_LIMIT = 64 * 1024;
/** Holds the settings of a foreign loader.conf while that file is being replaced. */
export const KEPT_SETTINGS = espPath('loader', 'espalier-settings.conf');
export const ENTRIES_SREL = espPath('loader', 'entries.srel');

/** A partition that a boot loader reads (BLS §The partitions). */
export type Volume = 'esp' | 'xbootldr';

/**
 * Paths that stay on the ESP when there is an XBOOTLDR partition: firmware starts them, or the
 * loader reads them nowhere else. All others are on XBOOTLDR. In lower case, as FAT compares.
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

/**
 * Returns a path's volumes when there is an XBOOTLDR partition. A parent of files of both is on
 * both.
 */
export function volumesOf(path: EspPath): readonly Volume[] {
  const lower = path.toLowerCase();
  if (ON_BOTH.includes(lower)) return ['esp', 'xbootldr'];
  return [ON_ESP.some((place) => `${lower}/`.startsWith(`${place}/`)) ? 'esp' : 'xbootldr'];
}

/** Returns the directory of content-addressed files for an entry token. */
export function blobDirectory(token: string): EspPath {
  return espPath('EFI', token);
}

/** Returns the directory part of an ESP path; empty for a path at the root. */
export function directoryOf(path: EspPath): EspPath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as EspPath;
}

/** Returns the file name of an ESP path. */
export function fileName(path: EspPath): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * The kinds of content-addressed files, and whether each is a program that a loader starts. The name
 * of an image tells its identity, which is over its sections; any other tells the digest of the file.
 */
export const BLOB_KINDS = {
  kernel: { isProgram: true, isImage: false },
  initrd: { isProgram: false, isImage: false },
  devicetree: { isProgram: false, isImage: false },
  uki: { isProgram: true, isImage: true },
} as const;

export type BlobKind = keyof typeof BLOB_KINDS;

/** What the name of a content-addressed file says. */
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

/** Returns whether a blob is an image, of which each entry that names it boots a part. */
export function isImageBlob({ kind }: Pick<BlobName, 'kind'>): boolean {
  return BLOB_KINDS[kind].isImage;
}

/** Parses the name of a blob. Returns undefined for a name that is not ours. */
export function parseBlobName(name: string): BlobName | undefined {
  const match = BLOB.exec(name);
  const digest = match?.[3] === undefined ? undefined : parseBase32(match[3].toLowerCase());
  if (!match?.[1] || !match[2] || !digest) return undefined;
  return { kind: match[1].toLowerCase() as BlobKind, version: match[2], digest };
}

/** The kinds of entries. An image is the program that boots; a text (BLS §Type #1) names it. */
export const ENTRY_KINDS = {
  uki: { suffix: '.efi', isProgram: true },
  type1: { suffix: '.conf', isProgram: false },
} as const;

export type EntryKind = keyof typeof ENTRY_KINDS;

/**
 * What an entry's file name says. `slug` is a specialisation's name made safe, see {@link slug}.
 */
export interface EntryName {
  readonly kind: EntryKind;
  readonly generation: number;
  readonly slug?: string;
  readonly digest: Digest;
  /** Absent when the entry has no boot counter. */
  readonly counter?: BootCounter;
}

/**
 * How often an entry may still be tried, and how often it was tried in vain (BLS §Boot counting).
 */
export interface BootCounter {
  /** Zero means that the entry is bad. */
  readonly triesLeft: number;
  readonly triesDone: number;
}

const COUNTER = /^(.*)\+(\d{1,9})(?:-(\d{1,9}))?$/;

/** Returns `name` without a boot counter, which is systemd-boot's ID of the entry. */
export function entryId(name: string): string {
  const dot = name.lastIndexOf('.');
  const counted = COUNTER.exec(name.slice(0, dot));
  return counted?.[1] === undefined ? name : counted[1] + name.slice(dot);
}

/**
 * Returns the pattern by which a loader finds an entry whether it is counted or not: systemd-boot 254
 * and older keep the counter in the ID. Our names end in a digest, so that nothing else matches.
 */
export function countablePattern(id: string): string {
  const dot = id.lastIndexOf('.');
  return `${id.slice(0, dot)}*${id.slice(dot)}`;
}

/** Returns the ID of which {@link countablePattern} made a pattern; an ID is its own. */
export function patternId(pattern: string): string {
  return pattern.replace(/\*(\.[^.*]*)$/, '$1');
}

/** Returns the counter in an entry's file name, whoever's the entry is. */
export function bootCounter(name: string): BootCounter | undefined {
  const [, , left, done = 0] = COUNTER.exec(name.slice(0, name.lastIndexOf('.'))) ?? [];
  return left === undefined ? undefined : { triesLeft: Number(left), triesDone: Number(done) };
}

/** Adds a boot counter with these tries to the path of an entry without one. */
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

/** Parses the name of an entry. Returns undefined for a name that is not ours. */
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

const KINDS: Readonly<Record<EntryKind | BlobKind, { readonly isProgram: boolean }>> = {
  ...ENTRY_KINDS,
  ...BLOB_KINDS,
};

/** Returns whether a file with this name of ours is a program that a loader starts. */
export function isProgram({ kind }: Pick<EntryName | BlobName, 'kind'>): boolean {
  return KINDS[kind].isProgram;
}

/**
 * Returns a specialisation's name in a form for file names: lower case, at most 48 characters, with
 * `_` for everything except letters, digits, `.` and `-`. Two names may share a slug: the digest
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
