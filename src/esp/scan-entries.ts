/** The boot entries on an ESP, ours and others': what their files say, and what is wrong with them. */

import { lastValue, parseLines } from '../bls.ts';
import type { ByteSource } from '../byte-source.ts';
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { type Pe, parsePe, readSection } from '../pe/pe.ts';
import { type ImageKind, imageKindOf } from './image-kind.ts';
import type { EntryFile } from './inventory.ts';
import {
  bootCounter,
  type EntryName,
  type EspPath,
  entryId,
  espPath,
  fileName,
  parseBlobName,
  parseEntryName,
} from './layout.ts';
import { parseType1, referencedPath } from './type1.ts';
import { attempt, decode, ifThere, readSmall } from './untrusted.ts';

/** Larger files of these kinds are not what they claim to be; ours is what a bootspec may make it. Bytes. */
const LIMIT = { own: 8 * 1024 * 1024, conf: 64 * 1024, text: 64 * 1024 };
/** More entries of others than this, in one directory, are not read. Ours all are. */
const MAX_FOREIGN = 1000;
/** What is kept of an entry: a menu shows less, and no kernel reads more. UTF-16 units; references in number. */
const KEPT = { text: 256, cmdline: 4096, path: 260, references: 32, sections: 128 };

/** A file in one of the directories of entries. */
export interface ListedFile {
  readonly name: string;
  readonly path: EspPath;
}

/** The files in the two directories of entries (BLS §Locations). */
export interface ListedFiles {
  readonly images: readonly ListedFile[];
  readonly texts: readonly ListedFile[];
}

/** How entries are read: where from, which are ours, and which kinds of images there are. */
export interface EntryScan {
  readonly disk: Disk;
  /** Where the ESP is mounted. */
  readonly root: string;
  readonly token: string;
  readonly imageKinds: readonly ImageKind[];
}

/** Reads the entries among files: all of ours, and some of others'. `unread` counts the rest. */
export function scanEntries(
  { images, texts }: ListedFiles,
  scan: EntryScan,
): { readonly entries: readonly EntryFile[]; readonly unread: number } {
  const [image, text] = [listed(images, '.efi', scan.token), listed(texts, '.conf', scan.token)];
  return {
    entries: [
      ...image.entries.flatMap((entry) => ifThere(() => scanImage(entry, scan))),
      ...text.entries.flatMap((entry) => ifThere(() => scanText(entry, scan))),
    ],
    unread: image.unread + text.unread,
  };
}

/** An entry's file by what its name says. */
interface Listed {
  readonly path: EspPath;
  /** Absent for an entry that is not ours. */
  readonly name: EntryName | undefined;
}

/** Returns the entries among files that systemd-boot would list: all of ours, and some of others'. */
function listed(
  files: readonly ListedFile[],
  suffix: string,
  token: string,
): { entries: readonly Listed[]; unread: number } {
  const all = files
    .filter(({ name }) => isListed(name, suffix))
    .map(({ name, path }) => ({ path, name: parseEntryName(token, name) }));
  let foreign = 0;
  const entries = all.filter(({ name }) => name !== undefined || foreign++ < MAX_FOREIGN);
  return { entries, unread: all.length - entries.length };
}

/** Whether systemd-boot would look at a file of this name (BLS §Locations). */
function isListed(name: string, suffix: string): boolean {
  const lower = name.toLowerCase();
  return lower.endsWith(suffix) && !lower.startsWith('.') && !lower.startsWith('auto-');
}

function scanText({ path, name }: Listed, { disk, root }: EntryScan): EntryFile {
  const bytes = readSmall(disk, `${root}/${path}`, name ? LIMIT.own : LIMIT.conf);
  const { files, options, title, version, sortKey } = parseType1(decode(bytes) ?? '');
  const damaged = name !== undefined && (!bytes || hash(bytes) !== name.digest);
  const named = references(files);
  const isOutside = (file: EspPath) =>
    parseBlobName(fileName(file)) === undefined &&
    disk.linkStat(`${root}/${file}`)?.kind === 'file';
  return {
    path,
    size: bytes?.length ?? 0,
    ...identity(path),
    ...(name ? { name, outside: named.filter(isOutside) } : {}),
    references: named,
    cmdline: cut(options, KEPT.cmdline),
    ...shown({ title, version, sortKey }),
    ...(damaged ? { damage: 'its text is not what its name says' } : {}),
  };
}

function scanImage({ path, name }: Listed, { disk, root, imageKinds }: EntryScan): EntryFile {
  using file = disk.open(`${root}/${path}`);
  const foreign = { path, size: file.size, ...identity(path), references: [], cmdline: '' };
  let entry: EntryFile = { ...foreign, ...(name ? { name } : {}) };
  const damage = attempt(() => {
    const pe = parsePe(file);
    const kind = imageKindOf(imageKinds, pe.sections);
    const isMarked =
      kind.mark === undefined || pe.sections.some((section) => section.name === kind.mark);
    entry = { ...(isMarked ? entry : foreign), ...described(file, pe, kind) };
    if (name && isMarked) kind.requireIdentity?.(file, pe, name.digest);
  });
  return damage === undefined ? entry : { ...entry, damage };
}

/** What the sections of an image say. */
function described(
  file: ByteSource,
  { sections }: Pe,
  { naming }: ImageKind,
): Pick<EntryFile, 'sections' | 'cmdline' | 'references' | keyof Shown> {
  const read = (wanted: string) => {
    const section = sections.find((candidate) => candidate.name === wanted);
    // What is too long to be shown must not hide whose image this is, and what it refers to.
    if (!section || section.virtualSize > LIMIT.text) return '';
    return decode(readSection(file, section, LIMIT.text)) ?? '';
  };
  return {
    ...shownBy(read('.osrel')),
    sections: sections
      .slice(0, KEPT.sections)
      .map((section) => ({ name: section.name, size: section.virtualSize })),
    cmdline: cut(read('.cmdline'), KEPT.cmdline),
    references: references(naming.map((section) => referencedPath(read(section)))),
  };
}

/** What systemd-boot shows of an image (BLS §Type #2), as far as our own images have it. */
function shownBy(osrel: string): Shown {
  const lines = parseLines(osrel, '=');
  const first = (...keys: readonly string[]) =>
    keys.map((key) => lastValue(lines, key)).find((value) => value !== undefined);
  return shown({
    title: first('PRETTY_NAME', 'IMAGE_ID', 'NAME', 'ID'),
    version: first('IMAGE_VERSION', 'VERSION', 'VERSION_ID', 'BUILD_ID'),
    sortKey: first('IMAGE_ID', 'ID'),
  });
}

type Shown = Pick<EntryFile, 'title' | 'version' | 'sortKey'>;

function shown(texts: { readonly [key in keyof Shown]: string | undefined }): Shown {
  return Object.fromEntries(
    Object.entries(texts).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, cut(value, KEPT.text)]],
    ),
  );
}

/** What is too long for a path on FAT leads nowhere, and so does its beginning. */
function references(paths: readonly EspPath[]): readonly EspPath[] {
  return paths.slice(0, KEPT.references).map((path) => espPath(cut(path, KEPT.path)));
}

/** Returns the beginning of a text; as a copy, for a part of a string keeps all of it in memory. */
function cut(value: string, length: number): string {
  return decode(new TextEncoder().encode(value.slice(0, length))) ?? '';
}

/** What an entry's file name says of whosever entry. */
function identity(path: EspPath): Pick<EntryFile, 'id' | 'counter'> {
  const name = fileName(path);
  const counter = bootCounter(name);
  return { id: entryId(name), ...(counter ? { counter } : {}) };
}
