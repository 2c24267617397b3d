/** What must be true of an ESP, judged from its bytes alone and without the code that wrote them. */
import { createHash } from 'node:crypto';
import { bytesSource } from '../../src/byte-source.ts';
import type { Digest } from '../../src/digest.ts';
import { entryId, parseBlobName, parseEntryName, patternId } from '../../src/esp/layout.ts';
import { thinId } from '../../src/esp/thin.ts';
import { parsePe, readSection } from '../../src/pe/pe.ts';
import { ukiId } from '../../src/uki/uki.ts';
import type { Tree } from './a-world.ts';

const hash = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Digest;
const fileName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** Files that are ours by their name, and the three fixed names that we share. */
export function isOurs(path: string): boolean {
  const [directory, name] = [path.slice(0, path.lastIndexOf('/')), fileName(path)];
  if (SHARED.has(path)) return true;
  if (/^\.espalier-\d+-\d+\.tmp$/.test(name)) return true;
  if (directory === 'EFI/nixos') return parseBlobName(name) !== undefined;
  const isEntryDirectory = directory === 'EFI/Linux' || directory === 'loader/entries';
  return isEntryDirectory && parseEntryName('nixos', name) !== undefined;
}

export const LOADERS = ['EFI/systemd/systemd-bootx64.efi', 'EFI/BOOT/BOOTX64.EFI'] as const;
/** Whether firmware could start the loader at a path: a program of which nothing is missing. */
export function startsFrom(tree: Tree, path: string): boolean {
  const bytes = tree.get(path);
  try {
    return bytes !== undefined && parsePe(bytesSource(bytes)).sections.length > 0;
  } catch {
    return false;
  }
}

const SHARED = new Set<string>([...LOADERS, 'loader/loader.conf', 'loader/entries.srel']);

/** What systemd-boot calls the entry at a path. */
export function idOf(path: string): string {
  return entryId(fileName(path));
}

/** The entries of ours that boot: every byte they consist of has the digest that its name tells. */
export function bootable(tree: Tree): string[] {
  return [...tree.keys()].filter((path) => {
    const bytes = tree.get(path);
    const name = isOurs(path) ? parseEntryName('nixos', fileName(path)) : undefined;
    if (!name || !bytes) return false;
    if (name.kind === 'type1' && hash(bytes) !== name.digest) {
      return hash(behindPointer(bytes)) === name.digest && bootsItsPart(tree, path, bytes);
    }
    return name.kind === 'type1'
      ? type1Files(bytes).every((file) => isBlobWhole(tree, file))
      : imageIds(bytes).includes(name.digest) &&
          thinFiles(bytes).every((file) => isBlobWhole(tree, file));
  });
}

/**
 * What an entry boots that shares an image: the digest that its name tells, when it leads to its own
 * part of an image that is whole. Undefined for every other file.
 */
export function partOf(tree: Tree, path: string): { readonly digest: string } | undefined {
  const bytes = tree.get(path);
  const isShared = /^linux \S+\noptions @\d+\n/.test(new TextDecoder().decode(bytes));
  if (!bytes || !isShared || !isOurs(path)) return undefined;
  const digest = hash(behindPointer(bytes));
  return { digest: bootsItsPart(tree, path, bytes) ? digest : `${digest} astray` };
}

/** What follows the two lines of an entry that say which part of an image it boots. */
function behindPointer(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(bytes.indexOf(10, bytes.indexOf(10) + 1) + 1);
}

/** Whether an entry leads to the profile of its own name, with its own command line, in a whole image. */
function bootsItsPart(tree: Tree, path: string, bytes: Uint8Array): boolean {
  const text = new TextDecoder().decode(bytes);
  const [, file = '', number, cmdline] =
    /^linux \/(.*)\noptions @(\d+)\n[\s\S]*\noptions (.*)\n$/.exec(text) ?? [];
  const image = tree.get(file);
  const name = parseBlobName(fileName(file));
  if (!image || !name || !imageIds(image).includes(name.digest)) return false;
  const sections = sectionsOf(image);
  const starts = sections.flatMap((section, at) => (section.name === '.profile' ? [at] : []));
  const start = starts[Number(number)] ?? sections.length;
  const [profile, line] = sections
    .slice(start, start + 2)
    .map(({ content }) => new TextDecoder().decode(content));
  return profile === `ID=${idOf(path).replace('.conf', '')}\n` && line === cmdline;
}

/** The files that a Type #1 entry names. */
function type1Files(bytes: Uint8Array): string[] {
  const text = new TextDecoder().decode(bytes);
  return [...text.matchAll(/^(?:linux|initrd) \/(.*)$/gm)].map((match) => match[1] ?? '');
}

function isBlobWhole(tree: Tree, path: string): boolean {
  const bytes = tree.get(path);
  return bytes !== undefined && parseBlobName(fileName(path))?.digest === hash(bytes);
}

/** The sections of an image with their content; none of one that is not whole. */
function sectionsOf(bytes: Uint8Array): { name: string; content: Uint8Array }[] {
  try {
    const source = bytesSource(bytes);
    return parsePe(source).sections.map((section) => ({
      name: section.name,
      content: readSection(source, section, bytes.length),
    }));
  } catch {
    return [];
  }
}

/** What an image may be called: as a UKI, or as a thin image. */
function imageIds(bytes: Uint8Array): string[] {
  const sections = sectionsOf(bytes).map(({ name, content }) => ({ name, digest: hash(content) }));
  return [ukiId(sections, 'unsigned'), thinId(sections, 'unsigned')];
}

/** The files that a thin image names, as its stub would find them. */
function thinFiles(bytes: Uint8Array): string[] {
  const sections = sectionsOf(bytes);
  if (!sections.some(({ name }) => name === '.linuxh')) return [];
  return ['.linux', '.initrd'].map((wanted) => {
    const content = sections.find(({ name }) => name === wanted)?.content;
    return new TextDecoder().decode(content).replaceAll('\\', '/').slice(1);
  });
}

/** The ID that loader.conf names as the one to boot: the default, or what is preferred to it. */
export function defaultOf(tree: Tree): string | undefined {
  const text = new TextDecoder().decode(tree.get('loader/loader.conf'));
  const named = /^preferred (.*)$/m.exec(text)?.[1] ?? /^default (.*)$/m.exec(text)?.[1];
  return named && patternId(named);
}

/** What our entries are called, by their ID: the one name of each, if all is well. */
export function entryNames(tree: Tree): ReadonlyMap<string, readonly string[]> {
  return Map.groupBy(
    [...tree.keys()].filter((path) => isOurs(path) && path.includes('nixos-generation-')),
    idOf,
  );
}

/** Where two trees differ, for a readable failure. */
export function differences(a: Tree, b: Tree): string[] {
  const paths = new Set([...a.keys(), ...b.keys()]);
  return [...paths].filter((path) => !isSame(a.get(path), b.get(path))).sort();
}

export function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
