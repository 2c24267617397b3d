/** Compares the wanted files with those on an ESP: which exist and look whole. Pure. */
import type { ExtraFile } from '../esp/extra-manifest.ts';
import type { BlobFile, Inventory, StrayFile } from '../esp/inventory.ts';
import { directoryOf, type EspPath } from '../esp/layout.ts';
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
  for (const { name, adopted, outside = [], sections = [], ...entry } of entries) {
    const generation = name?.generation ?? adopted;
    if (generation === undefined) continue;
    const { path, size, references, cmdline, damage, unsigned, unauthorised } = entry;
    const what = { path, size, generation, references, outside, cmdline, sections };
    const found = { ...what, damage, unsigned, unauthorised };
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
    isOutdated = false,
  }: StrayFile & Partial<ExtraFile> & Pick<BlobFile, 'unsigned'>,
): OwnFile {
  const names = { generation: 0, references: [], outside: [], cmdline: '', sections: [] };
  return { role, path, size, ...names, damage, unsigned, isOutdated };
}

/** Returns the state of a wanted file, as far as name, size and header tell. */
export function standing(wanted: WantedFile, own: OwnFiles): Standing {
  const found = own.get(keyOf(wanted.path));
  if (!found) return { kind: 'missing', at: wanted.path };
  if (found.isOutdated) return { kind: 'outdated', at: found.path };
  const because =
    found.damage ??
    unsignedProblem(wanted, found) ??
    found.unauthorised ??
    difference(wanted, found);
  return because === undefined ? { kind: 'present' } : { kind: 'damaged', at: found.path, because };
}

/** What is to be signed and is not is written anew. */
function unsignedProblem({ content }: WantedFile, { unsigned }: OwnFile): string | undefined {
  return isImage(content) || content.kind === 'signed' ? unsigned : undefined;
}

/** Sections whose content follows from the stub. */
const FOLLOWING = ['.sbat', '.pcrsig'];

/** Says why a file cannot be the wanted one. An image may have an older stub: only its payload counts. */
function difference({ content, size }: WantedFile, found: OwnFile): string | undefined {
  if (!isImage(content)) {
    return found.size === size ? undefined : `it has ${found.size} bytes, expected ${size}`;
  }
  const actual = new Map(found.sections.map((section) => [section.name, section.size]));
  const wrong = content.sections.find(
    // The stub's .sbat is merged into the image's, and its policies follow from that: sizes tell nothing.
    (section) => !FOLLOWING.includes(section.name) && actual.get(section.name) !== section.size,
  );
  return (
    wrong &&
    `its section ${wrong.name} has ${actual.get(wrong.name) ?? 'no'} bytes, expected ${wrong.size}`
  );
}

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
