/** How images on an ESP are told apart: by their sections, never by who may have written them. */
import type { ByteSource } from '../byte-source.ts';
import type { Digest } from '../digest.ts';
import type { Pe } from '../pe/pe.ts';

/** What one kind of image looks like on an ESP, and what its name promises. */
export interface ImageKind {
  /** Sections that no image of another kind has. The one kind without any takes all other images. */
  readonly telltales: readonly string[];
  /** The section that only images of ours have, where other tools give theirs the same names. */
  readonly mark?: string;
  /** Sections whose text is the path of another file on the ESP. */
  readonly naming: readonly string[];
  /**
   * Returns the identity that the file name carries.
   * @param fingerprint the signing certificate's SHA-256 in hexadecimal, or `unsigned`
   */
  readonly idOf: (
    sections: readonly { readonly name: string; readonly digest: Digest }[],
    fingerprint: string,
  ) => Digest;
  /**
   * Holds an image against its name, where little has to be read for it. Without it, only a deep
   * look finds a wrong content.
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
