/**
 * Reads the boot entries on an ESP, ours and foreign ones: what their files say, and their damage.
 */

import { lastValue, parseLines } from '../bls.ts';
import type { ByteSource } from '../byte-source.ts';
import { type Digest, hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import {
  carriesSignature,
  type JudgesSignature,
  requireNothingBehind,
} from '../pe/carried-signature.ts';
import { type Pe, parsePe, readSection } from '../pe/pe.ts';
import { startFault } from '../pe/program.ts';
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
import type { Lookup } from './lookup.ts';
import { type Pointer, splitPointer } from './shared-entry.ts';
import { parseType1, referencedPath } from './type1.ts';
import { attempt, decode, ifThere, readSmall } from './untrusted.ts';

/**
 * In bytes. A larger file is no entry. Our own entries may be as large as a bootspec makes them.
 */
const LIMIT = { own: 8 * 1024 * 1024, conf: 64 * 1024, text: 64 * 1024 };
/** The most foreign entries that are read in one directory. All of ours are read. */
const MAX_FOREIGN = 1000;
/** How much of an entry is kept; menus and kernels use less. UTF-16 units, and numbers of items. */
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

/** What reading entries needs: the ESP, what marks ours, and the kinds of images. */
export interface EntryScan {
  readonly disk: Disk;
  /** Where the ESP is mounted. */
  readonly root: string;
  /** Looks for the files that entries name. */
  readonly kindOf: Lookup;
  readonly token: string;
  readonly imageKinds: readonly ImageKind[];
  readonly demands: Demands;
}

/** What firmware asks of programs; what is absent nobody asks. */
export interface Demands {
  /** PE/COFF machine number of its processor. */
  readonly machine?: number | undefined;
  /** Whose signatures files of ours should carry. */
  readonly images?: JudgesSignature | undefined;
  readonly kernels?: JudgesSignature | undefined;
  /** What is said of a file without such a signature. */
  readonly lacks?: string;
  /** Tells of a signature whether firmware refuses the very program that it is over. */
  readonly bans?: JudgesSignature | undefined;
}

/** What is wrong with a file that lacks its signature. */
export const UNSIGNED =
  'it does not carry a whole signature of our certificate: firmware refuses it under Secure Boot';
/** What is wrong with a file that firmware refuses whoever signed it. */
const BANNED = 'dbx has its digest: firmware refuses it, whoever signed it';

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

/** An entry's file, and what its name says. */
interface Listed {
  readonly path: EspPath;
  /** Absent for a foreign entry. */
  readonly name: EntryName | undefined;
}

/**
 * Returns the files that systemd-boot would list as entries: all of ours, and some foreign ones.
 */
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

/** Returns whether systemd-boot lists a file with this name (BLS §Locations). */
function isListed(name: string, suffix: string): boolean {
  const lower = name.toLowerCase();
  return lower.endsWith(suffix) && !lower.startsWith('.') && !lower.startsWith('auto-');
}

function scanText({ path, name }: Listed, { disk, root, kindOf }: EntryScan): EntryFile {
  const bytes = readSmall(disk, `${root}/${path}`, name ? LIMIT.own : LIMIT.conf);
  const pointer = name && bytes && pointerOf(bytes, name.digest);
  const { files, options, title, version, sortKey } = parseType1(decode(bytes) ?? '');
  const isOther = name && !pointer && (!bytes || hash(bytes) !== name.digest);
  const damage = isOther ? 'its text is not what its name says' : otherNumber(name, version);
  const named = references(files);
  const isOutside = (file: EspPath) =>
    parseBlobName(fileName(file)) === undefined && kindOf(file) === 'file';
  return {
    path,
    size: bytes?.length ?? 0,
    ...identity(path),
    ...(name ? { name, outside: named.filter(isOutside) } : {}),
    ...(pointer ? { pointer } : {}),
    references: named,
    cmdline: cut(pointer ? options.replace(/^@\d+ /, '') : options, KEPT.cmdline),
    ...shown({ title, version, sortKey }),
    ...(damage === undefined ? {} : { damage }),
  };
}

/** Returns where an entry leads, when its name tells the digest of what follows that. */
function pointerOf(bytes: Uint8Array, digest: Digest): Pointer | undefined {
  const split = splitPointer(bytes);
  return split && hash(split.rest) === digest ? split.pointer : undefined;
}

function scanImage({ path, name }: Listed, scan: EntryScan): EntryFile {
  const { disk, root, imageKinds, demands } = scan;
  using file = disk.open(`${root}/${path}`);
  const foreign = { path, size: file.size, ...identity(path), references: [], cmdline: '' };
  let entry: EntryFile = { ...foreign, ...(name ? { name } : {}) };
  const damage = attempt(() => {
    const pe = parsePe(file);
    const kind = imageKindOf(imageKinds, pe.sections);
    const isMarked =
      kind.mark === undefined || pe.sections.some((section) => section.name === kind.mark);
    entry = { ...(isMarked ? entry : foreign), ...described(file, pe, kind) };
    if (!name || !isMarked) return;
    requireNothingBehind(pe);
    kind.requireIdentity?.(file, pe, name.digest);
    entry = { ...entry, ...firmwareSays(file, pe, demands, demands.images) };
  });
  const problem = damage ?? otherNumber(entry.name, entry.version);
  return problem === undefined ? entry : { ...entry, damage: problem };
}

/** Returns what firmware has against a program that is whole. */
export function firmwareSays(
  file: ByteSource,
  pe: Pe,
  { machine, lacks = UNSIGNED, bans }: Demands,
  signed: JudgesSignature | undefined,
): Pick<EntryFile, 'fault' | 'unsigned' | 'banned'> {
  const fault = machine === undefined ? undefined : startFault(pe, machine);
  const isUnsigned = signed !== undefined && !carriesSignature(file, pe, signed);
  const isBanned = bans !== undefined && carriesSignature(file, pe, bans);
  return {
    ...(fault === undefined ? {} : { fault }),
    ...(isUnsigned ? { unsigned: lacks } : {}),
    ...(isBanned ? { banned: BANNED } : {}),
  };
}

/**
 * Says whether an entry is of another generation than its name says. The digest in a name does not cover
 * the number beside it: whoever renames an old entry of ours could have it kept as one that is to stay.
 */
function otherNumber(name: EntryName | undefined, version = ''): string | undefined {
  const [, number] = /^Generation (\d+)\b/.exec(version) ?? [];
  if (!name || number === undefined || Number(number) === name.generation) return undefined;
  return `it is of generation ${number}, and its name says ${name.generation}`;
}

/** Returns what the sections of an image say. */
function described(
  file: ByteSource,
  { sections }: Pe,
  { naming }: ImageKind,
): Pick<EntryFile, 'sections' | 'cmdline' | 'references' | keyof Shown> {
  const read = (wanted: string) => {
    const section = sections.find((candidate) => candidate.name === wanted);
    // A section that is too long to show must not hide whose image this is, and what it refers to.
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

/**
 * Returns what systemd-boot shows of an image (BLS §Type #2), in the fields that our images use.
 */
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

/** Drops text that is too long for a path on FAT, because no part of it leads anywhere. */
function references(paths: readonly EspPath[]): readonly EspPath[] {
  return paths.slice(0, KEPT.references).map((path) => espPath(cut(path, KEPT.path)));
}

/** Returns the beginning of a text as a copy: a part of a string keeps the whole in memory. */
function cut(value: string, length: number): string {
  return decode(new TextEncoder().encode(value.slice(0, length))) ?? '';
}

/** Returns what the file name of any entry says, ours or foreign. */
function identity(path: EspPath): Pick<EntryFile, 'id' | 'counter'> {
  const name = fileName(path);
  const counter = bootCounter(name);
  return { id: entryId(name), ...(counter ? { counter } : {}) };
}
