/** What a generation should look like on an ESP, as values: entries, and the files they name. Pure. */
import type { Digest } from '../digest.ts';
import type { ExtraRole } from '../esp/extra-manifest.ts';
import { countedPath, type EspPath, entryId, fileName } from '../esp/layout.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation } from '../generation/generation.ts';
import type { Content, SectionContent } from './step.ts';

/** What a file on the ESP is; a manifest is a list of extra files. */
export type FileRole = 'entry' | 'blob' | 'manifest' | ExtraRole;

/** A file that should be on the ESP. `size` in bytes; of an image that will be signed, an upper bound. */
export interface WantedFile {
  readonly role: FileRole;
  readonly path: EspPath;
  readonly size: number;
  readonly content: Content;
}

/** A boot entry that should be on the ESP. */
export interface WantedEntry {
  readonly id: string;
  /** The system it boots: the generation's own, or a specialisation's. */
  readonly toplevel: string;
  readonly title: string;
  /** What decides its place in the menu. */
  readonly sortKey: string;
  readonly version: string;
  readonly cmdline: string;
  readonly file: WantedFile;
  readonly blobs: readonly WantedFile[];
  /** Files on the ESP that it names and that others have to put there. */
  readonly others?: readonly EspPath[];
}

/** A generation with its entries; the first one is the generation itself, the others its specialisations. */
export interface WantedGeneration {
  readonly name: string;
  readonly number: number;
  readonly entries: readonly WantedEntry[];
}

/** A file outside the ESP whose bytes are known by digest. Size in bytes. */
export interface Payload {
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
  /** The file that goes onto the ESP is this one with our signature added. */
  readonly signed?: boolean;
}

/** Everything about one generation or specialisation that had to be read or hashed. */
export interface Resolved {
  readonly generation: Generation;
  readonly specialisation?: string;
  readonly bootspec: Bootspec;
  readonly kernel: Payload;
  readonly initrd?: Payload;
  readonly devicetree?: Payload;
  /** What follows the initrd: files that we have, or paths on the ESP where others have to put one. */
  readonly extraInitrds?: readonly (Payload | EspPath)[];
  /** Kernel release for `.uname`. */
  readonly uname?: string;
}

/** What an image consists of besides the generation. */
export interface ImageSettings {
  readonly stub: string;
  /** Bytes. */
  readonly stubSize: number;
  /** Hex SHA-256 of the signing certificate, or `unsigned`. */
  readonly fingerprint: string;
  /** Sections from the configuration, by name: `.splash`, `.ucode`, `.sbat`, `.profile`. */
  readonly extra: readonly SectionContent[];
}

/** How a generation is called in messages: `5`, or `PROFILE-5` for a named profile. */
export function generationName({
  profile,
  number,
}: Pick<Generation, 'profile' | 'number'>): string {
  return profile === undefined ? String(number) : `${profile}-${number}`;
}

/**
 * Returns an entry that may be tried so many times, once it is new on an ESP (BLS §Boot counting). One
 * that is there already is the same entry, whatever its counter says.
 */
export function withTries(entry: WantedEntry, tries: number): WantedEntry {
  if (tries === 0) return entry;
  return { ...entry, file: { ...entry.file, path: countedPath(entry.file.path, tries) } };
}

/** Every file that an entry needs, itself last. */
export function filesOf(entry: WantedEntry): readonly WantedFile[] {
  return [...entry.blobs, entry.file];
}

/** The ID under which systemd-boot knows the file at a path. */
export function idOf(path: EspPath): string {
  return entryId(fileName(path));
}
