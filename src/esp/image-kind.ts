/** Tells kinds of images on an ESP apart, by their sections and never by their writer. */
import type { ByteSource } from '../byte-source.ts';
import type { Digest } from '../digest.ts';
import type { Pe } from '../pe/pe.ts';
import type { CompanionKind } from './companions.ts';

/** How one kind of image is recognised on an ESP, and what its name promises. */
export interface ImageKind {
  /** Sections that only this kind has. A kind without any takes all remaining images. */
  readonly telltales: readonly string[];
  /** The section that marks an image as ours, when other tools use the same file names. */
  readonly mark?: string;
  /**
   * Which companions of every image its stub takes, and what is behind the image's name in that of the
   * directory with its own. Absent when it takes none.
   */
  readonly companions?: {
    readonly takes: readonly CompanionKind[];
    readonly own?: string;
  };
  /** Sections whose text is a path of another file on the ESP. */
  readonly naming: readonly string[];
  /**
   * Returns the identity that the image's file name carries.
   * @param fingerprint the signing certificate's SHA-256 in hexadecimal, or `unsigned`
   */
  readonly idOf: (
    sections: readonly { readonly name: string; readonly digest: Digest }[],
    fingerprint: string,
  ) => Digest;
  /**
   * Checks an image against its name, if that takes little reading. A kind without this needs a
   * deep look to find wrong content.
   * @throws {PE_MALFORMED} @throws {FILE_TOO_LARGE}
   */
  readonly requireIdentity?: (file: ByteSource, pe: Pe, expected: Digest) => void;
}

/** Returns the kind of an image with these sections. */
export function imageKindOf<Kind extends ImageKind>(
  kinds: readonly Kind[],
  sections: readonly { readonly name: string }[],
): Kind {
  const names = new Set(sections.map(({ name }) => name));
  const found =
    kinds.find(({ telltales }) => telltales.some((name) => names.has(name))) ??
    kinds.find(({ telltales }) => telltales.length === 0);
  if (found === undefined) throw new RangeError('"kinds" expected one without telltales');
  return found;
}
