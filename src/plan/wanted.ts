/**
 * What a generation should have on an ESP, as values: entries, and the files that they name. Pure.
 */
import type { Digest } from '../digest.ts';
import type { ExtraRole } from '../esp/extra-manifest.ts';
import { countedPath, type EspPath, entryId, fileName } from '../esp/layout.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation } from '../generation/generation.ts';
import type { PolicyDocument } from '../uki/pcrsig.ts';
import type { Content, SectionContent } from './step.ts';

/** The role of a file on the ESP. A manifest is a list of extra files. */
export type FileRole = 'entry' | 'blob' | 'manifest' | ExtraRole;

/** A wanted file. `size` in bytes; for an image that will be signed it is an upper bound. */
export interface WantedFile {
  readonly role: FileRole;
  readonly path: EspPath;
  readonly size: number;
  readonly content: Content;
  /** For an entry with a part: the text at its beginning that says where that part is. */
  readonly pointer?: string;
}

/** Everything that an image has besides profiles. Entries with equal bases may share an image. */
export interface ImageBase {
  /** Identity of the sections and of the signing certificate, see {@link ImageBase.sections}. */
  readonly id: Digest;
  readonly sections: readonly SectionContent[];
  /** The version of the kernel, as the image's name has it. */
  readonly version: string;
  /** The directory of the image. */
  readonly directory: EspPath;
  readonly image: Pick<ImageSettings, 'stub' | 'stubSize' | 'fingerprint' | 'room'>;
}

/** The part of an image that an entry boots: a profile of it (UKI §Multi-Profile UKIs). */
export interface Part {
  readonly base: ImageBase;
  /** `.profile`, and what follows it. */
  readonly sections: readonly SectionContent[];
  /** Its policies for PCR 11; absent where nobody signs any. */
  readonly policies?: PolicyDocument;
  /** The text of the entry behind its pointer. */
  readonly lines: string;
}

/** A wanted boot entry. */
export interface WantedEntry {
  readonly id: string;
  /** The system that it boots: the generation's own, or a specialisation's. */
  readonly toplevel: string;
  readonly title: string;
  /** Everything that decides its place in the menu. */
  readonly sortKey: string;
  readonly version: string;
  readonly cmdline: string;
  readonly file: WantedFile;
  readonly blobs: readonly WantedFile[];
  /** Of an entry that boots a part of an image. Which image, and so what it names, the ESP decides. */
  readonly part?: Part;
  /** Files on the ESP that it names and that another program has to put there. */
  readonly others?: readonly EspPath[];
}

/** A generation and its entries: first its own, then those of its specialisations. */
export interface WantedGeneration {
  readonly name: string;
  readonly number: number;
  /** Of an installed kernel. */
  readonly release?: string | undefined;
  readonly entries: readonly WantedEntry[];
}

/** A file outside the ESP with a known digest. Size in bytes. */
export interface Payload {
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
  /** Whether the file on the ESP has our signature added. */
  readonly signed?: boolean;
}

/** Everything about a generation or specialisation that was read or hashed. */
export interface Resolved {
  readonly generation: Generation;
  readonly specialisation?: string;
  readonly bootspec: Bootspec;
  readonly kernel: Payload;
  readonly initrd?: Payload;
  readonly devicetree?: Payload;
  /** Files that follow the initrd: files that we have, or paths on the ESP that others fill. */
  readonly extraInitrds?: readonly (Payload | EspPath)[];
  /** The kernel release for `.uname`. */
  readonly uname?: string;
}

/** The parts of an image besides the generation. */
export interface ImageSettings {
  readonly stub: string;
  /** In bytes. */
  readonly stubSize: number;
  /** Hex SHA-256 of the signing certificate, or `unsigned`. */
  readonly fingerprint: string;
  /** How many sections an image can have besides those of its stub; unlimited when absent. */
  readonly room?: number;
  /** Sections from the configuration, by name: `.splash`, `.ucode`, `.sbat`, `.profile`. */
  readonly extra: readonly SectionContent[];
}

/** Returns a generation's name in messages: `5`, or `PROFILE-5` for a named profile. */
export function generationName({
  profile,
  number,
}: Pick<Generation, 'profile' | 'number'>): string {
  return profile === undefined ? String(number) : `${profile}-${number}`;
}

/**
 * Returns an entry that gets so many tries when it is new on an ESP (BLS §Boot counting). An entry
 * that exists is the same entry, whatever its counter is.
 */
export function withTries(entry: WantedEntry, tries: number): WantedEntry {
  if (tries === 0) return entry;
  return movedTo(entry, countedPath(entry.file.path, tries));
}

/** Returns a wanted entry whose file lies at another path. */
export function movedTo(entry: WantedEntry, path: EspPath): WantedEntry {
  return { ...entry, file: { ...entry.file, path } };
}

/** Returns generations with every entry changed. */
export function mapEntries(
  generations: readonly WantedGeneration[],
  change: (entry: WantedEntry) => WantedEntry,
): readonly WantedGeneration[] {
  return generations.map((generation) => ({
    ...generation,
    entries: generation.entries.map(change),
  }));
}

/** Returns the entries of all wanted generations, in the order of their generations. */
export function entriesOf({
  musts,
  wishes,
}: {
  readonly musts: readonly WantedGeneration[];
  readonly wishes: readonly WantedGeneration[];
}): readonly WantedEntry[] {
  return [...musts, ...wishes].flatMap(({ entries }) => entries);
}

/** Returns every file that an entry needs, and itself last. */
export function filesOf(entry: WantedEntry): readonly WantedFile[] {
  return [...entry.blobs, entry.file];
}

/** Returns systemd-boot's ID for the entry at a path. */
export function idOf(path: EspPath): string {
  return entryId(fileName(path));
}
