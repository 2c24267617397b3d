/** Compares the wanted files with those on an ESP: which exist and look whole. Pure. */

import type { ExtraFile } from '../esp/extra-manifest.ts';
import type { BlobFile, Inventory, StrayFile } from '../esp/inventory.ts';
import { directoryOf, type EspPath } from '../esp/layout.ts';
import { exactSize } from '../quantity.ts';
import { inFileOrder } from '../uki/section.ts';
import { isImage } from './step.ts';
import { type FileRole, idOf, type WantedFile } from './wanted.ts';

/** A file of ours on the ESP. Size in bytes. */
export interface OwnFile {
  readonly role: FileRole;
  readonly path: EspPath;
  readonly size: number;
  /** For an entry: the number of its generation. */
  readonly generation: number;
  readonly references: readonly EspPath[];
  /** Those references that exist and are not under a name of ours. */
  readonly outside: readonly EspPath[];
  /** For an entry that boots a part of an image: the text that says which. */
  readonly pointer?: string | undefined;
  readonly cmdline: string;
  readonly sections: readonly { readonly name: string; readonly size: number }[];
  readonly damage: string | undefined;
  /** Why firmware would refuse it although it is whole. */
  readonly unsigned?: string | undefined;
  /** Why a TPM opens nothing for it although it boots. */
  readonly unauthorised?: string | undefined;
  /** Of an extra file: another content was declared since it was written. */
  readonly isOutdated?: boolean;
}

/** Our files on an ESP, by the key under which FAT and systemd-boot find them. */
export type OwnFiles = ReadonlyMap<string, OwnFile>;

/** The state of a wanted file. `at` is where it is, or should be written. */
export type Standing =
  | { readonly kind: 'present' }
  | { readonly kind: 'missing'; readonly at: EspPath }
  | { readonly kind: 'outdated'; readonly at: EspPath }
  /** An entry that leads elsewhere than to its part; `boots` says whether it boots from there. */
  | {
      readonly kind: 'astray';
      readonly at: EspPath;
      readonly because: string;
      readonly boots: boolean;
    }
  | { readonly kind: 'damaged'; readonly at: EspPath; readonly because: string };

/**
 * Returns the key of a file. It ignores case, as FAT does, and the boot counter, as systemd-boot
 * does. So an entry with a counter never gets a second name without one.
 */
export function keyOf(path: EspPath): string {
  return `${directoryOf(path)}/${idOf(path)}`.toLowerCase();
}

/** Returns the files of an inventory that are ours or were taken over. */
export function ownFiles(inventory: Inventory): OwnFiles {
  const { blobs, strays = [], entries, extras = [], manifests = [], marks = [] } = inventory;
  const files: OwnFile[] = [
    ...[...blobs, ...strays].map((file) => storedFile('blob', file)),
    ...extras.map((file) => storedFile(file.role, file)),
    ...[...manifests, ...marks].map((file) => storedFile('manifest', file)),
  ];
  for (const { name, adopted, outside = [], sections = [], pointer, ...entry } of entries) {
    const generation = name?.generation ?? adopted;
    if (generation === undefined) continue;
    const { path, size, references, cmdline, damage, unsigned, unauthorised } = entry;
    const what = { path, size, generation, references, outside, cmdline, sections };
    const found = { ...what, damage, unsigned, unauthorised, pointer: pointer?.text };
    files.push({ role: 'entry', ...found });
  }
  return new Map(files.map((file) => [keyOf(file.path), file]));
}

/** We look for names only in entries of ours. Other files name nothing. */
function storedFile(
  role: FileRole,
  {
    path,
    size,
    damage,
    unsigned,
    unauthorised,
    isOutdated = false,
    sections = [],
  }: StrayFile & Partial<ExtraFile> & Pick<BlobFile, 'unsigned' | 'unauthorised' | 'sections'>,
): OwnFile {
  const names = { generation: 0, references: [], outside: [], cmdline: '', sections };
  return { role, path, size, ...names, damage, unsigned, unauthorised, isOutdated };
}

/** Returns the state of a wanted file, as far as name, size and header tell. */
export function standing(wanted: WantedFile, own: OwnFiles): Standing {
  const found = own.get(keyOf(wanted.path));
  if (!found) return { kind: 'missing', at: wanted.path };
  if (found.isOutdated) return { kind: 'outdated', at: found.path };
  const astray = strayed(wanted, found, own);
  if (astray) return astray;
  const because =
    found.damage ??
    unsignedProblem(wanted, found) ??
    unauthorisedProblem(wanted, found) ??
    difference(wanted, found);
  return because === undefined ? { kind: 'present' } : { kind: 'damaged', at: found.path, because };
}

/** Why an entry is overwritten that boots from another image, and goes on booting until then. */
export const MOVED = 'its part is in another image by now';

/** Only what says where its part is may differ: its own lines have the digest that its name tells. */
function strayed(wanted: WantedFile, found: OwnFile, own: OwnFiles): Standing | undefined {
  const { pointer } = wanted;
  if (pointer === undefined || found.pointer?.length !== pointer.length) return undefined;
  if (found.pointer === pointer) return undefined;
  const isBootable = boots(found, own);
  const because = isBootable ? MOVED : (found.damage ?? 'the image that it names is not whole');
  return { kind: 'astray', at: found.path, because, boots: isBootable };
}

/** What is to be signed and is not is written anew. */
function unsignedProblem({ content }: WantedFile, { unsigned }: OwnFile): string | undefined {
  return isImage(content) || content.kind === 'signed' ? unsigned : undefined;
}

/** An image without its policies is written anew. One of an earlier run is never written. */
function unauthorisedProblem({ content }: WantedFile, found: OwnFile): string | undefined {
  return isImage(content) ? found.unauthorised : undefined;
}

/** Sections whose content follows from the stub. */
const FOLLOWING = ['.sbat', '.pcrsig'];

/** Says why a file cannot be the wanted one. An image may have an older stub: only its payload counts. */
function difference({ role, content, size }: WantedFile, found: OwnFile): string | undefined {
  if (content.kind === 'kept') return undefined;
  // An addon is made here too, but it is an extra file: its list tells its size and digest.
  const isDescribed = role === 'entry' || role === 'blob';
  if (!isImage(content) || !isDescribed) {
    return found.size === size
      ? undefined
      : `it has ${exactSize(found.size)}, expected ${exactSize(size)}`;
  }
  return sectionsDiffer(inFileOrder(content.sections), found.sections);
}

/** Compares sections of one name in their order: each profile of an image may have one. */
function sectionsDiffer(
  wanted: readonly SectionSize[],
  found: readonly SectionSize[],
): string | undefined {
  const actual = Map.groupBy(found, ({ name }) => name);
  const seen = new Map<string, number>();
  for (const { name, size } of wanted) {
    // The stub's .sbat is merged into the image's, and its policies follow from that.
    if (FOLLOWING.includes(name)) continue;
    const at = seen.get(name) ?? 0;
    seen.set(name, at + 1);
    const got = actual.get(name)?.[at]?.size;
    if (got !== size) return `its section ${name} has ${got ?? 'no'} bytes, expected ${size}`;
  }
  return undefined;
}

type SectionSize = OwnFile['sections'][number];

/** Returns whether an entry and every file that it names exist and look whole. */
export function boots(file: OwnFile, own: OwnFiles): boolean {
  return (
    file.role === 'entry' &&
    file.damage === undefined &&
    file.references.every((path) => {
      const blob = own.get(keyOf(path));
      return blob ? blob.damage === undefined : file.outside.includes(path);
    })
  );
}
