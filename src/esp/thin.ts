/**
 * Thin images: a stub whose sections name the kernel and the initrd on the ESP, and their digests.
 * Sections and their order are those that lanzaboote's tool writes and its stub reads.
 */
import type { ByteSource } from '../byte-source.ts';
import { type Digest, hash } from '../digest.ts';
import { EspError } from '../error.ts';
import { findSection, type Pe, readSection } from '../pe/pe.ts';
import type { ImageKind } from './image-kind.ts';
import type { EspPath } from './layout.ts';

/** The sections that the stub reads, in file order. A path is UTF-8 text, a digest its 32 bytes. */
const THIN_SECTIONS = ['.osrel', '.cmdline', '.initrd', '.linux', '.initrdh', '.linuxh'] as const;

/**
 * Holds the SHA-256 of the signing certificate in hexadecimal, or `unsigned`. The stub does not
 * read it. It tells our images from lanzaboote's, whose names have the same shape. It also makes an
 * identity checkable without cryptography.
 */
export const SIGNER_SECTION = '.signer';
const UNSIGNED = 'unsigned';

/** Sections that only thin images have. */
const TELLTALES: readonly string[] = ['.initrdh', '.linuxh', SIGNER_SECTION];

/**
 * In bytes. No section that the stub reads is larger, even if a bootspec makes a long command line.
 */
const LIMIT = 8 * 1024 * 1024;

/** Returns a path as firmware expects it: from the root of the ESP, with backslashes. */
export function firmwarePath(path: EspPath): string {
  return `\\${path.replaceAll('/', '\\')}`;
}

/**
 * Returns the identity of a thin image, which its file name carries: the SHA-256 of the text
 *
 *     thin 1
 *     <name> <SHA-256>      for each section that the stub reads, in their order in the file
 *     signer <fingerprint>
 *
 * with a newline after every line. The stub's own sections are no part of it.
 * @param sections of several with one name the stub takes the first; others are ignored
 * @param fingerprint the signing certificate's SHA-256 in hexadecimal, or `unsigned`
 */
export function thinId(
  sections: readonly { readonly name: string; readonly digest: Digest }[],
  fingerprint: string,
): Digest {
  const lines = THIN_SECTIONS.flatMap((wanted) => {
    const first = sections.find(({ name }) => name === wanted);
    return first ? [`${wanted} ${first.digest}\n`] : [];
  });
  return hash(`thin 1\n${lines.join('')}signer ${fingerprint}\n`);
}

/**
 * Checks that what the stub reads from a thin image of ours matches the image's name, and that an
 * image with a signer has a signature. Only cryptography can tell whether the signature is valid.
 * @throws {PE_MALFORMED} @throws {FILE_TOO_LARGE}
 */
function requireIdentity(file: ByteSource, pe: Pe, expected: Digest): void {
  const read = (name: string): Uint8Array[] => {
    const section = findSection(pe, name);
    return section ? [readSection(file, section, LIMIT)] : [];
  };
  const fingerprint = new TextDecoder().decode(read(SIGNER_SECTION)[0]);
  const digests = THIN_SECTIONS.flatMap((name) =>
    read(name).map((bytes) => ({ name, digest: hash(bytes) })),
  );
  if (thinId(digests, fingerprint) !== expected)
    throw new EspError('PE_MALFORMED', 'its content is not what its name says');
  if (fingerprint !== UNSIGNED && pe.certificateTable.size === 0)
    throw new EspError('PE_MALFORMED', 'its signature is gone');
}

/** How thin images are recognised on an ESP. Lanzaboote's have no section that names a signer. */
export const THIN_IMAGE = {
  telltales: TELLTALES,
  mark: SIGNER_SECTION,
  // Lanzaboote's stub gives extensions to one image alone, from a directory of another name.
  companions: { takes: ['credential'] },
  naming: ['.linux', '.initrd'],
  idOf: thinId,
  requireIdentity,
} as const satisfies ImageKind;
