/** The layout of a Unified Kernel Image, and the identity that names it. */
import { bytesSource } from '../byte-source.ts';
import { type Digest, hash } from '../digest.ts';
import { EspError } from '../error.ts';
import { appendSections, type NewSection } from '../pe/append-sections.ts';
import { contentSize, type ImageLayout } from '../pe/image-layout.ts';
import { findSection, parsePe, readSection } from '../pe/pe.ts';
import type { KernelTraits } from './kernel.ts';
import { defaultSbat, mergeSbat } from './sbat.ts';
import { findKnown, inFileOrder, inMeasurementOrder, requireKnown } from './section.ts';

/** A section by name and content. The layout decides which section is code, and its place. */
export type UkiSection = Pick<NewSection, 'name' | 'content'>;

const MAX_STUB_SBAT = 64 * 1024;
/** The digest of an empty section, which is never written. */
const NOTHING = hash('');

/**
 * Lays out a UKI as ukify does (UKI §PE sections): sections in ukify's order; `.sbat` merged from
 * the stub, the kernel and a given `.sbat`; NX_COMPAT only when the kernel has it too. Every
 * `.profile` begins a profile (UKI §Multi-Profile UKIs).
 * @throws {CONFIG_INVALID} when a section is unknown or occurs twice, or when `.linux` or `.osrel`
 * is missing: boot loaders list no image without them
 * @throws {PE_MALFORMED} when the stub is damaged, signed or has no room for the section headers
 */
export function ukiLayout(
  stub: Uint8Array,
  sections: readonly UkiSection[],
  kernel: Pick<KernelTraits, 'nxCompat' | 'sbat'>,
): ImageLayout {
  requireKnown(sections);
  requirePresent(sections, '.linux');
  requirePresent(sections, '.osrel');
  const given = sections.filter(({ name }) => name === '.sbat').map(givenSbat);
  const sbat = ukiSbat(stub, kernel, given);
  const others = sections.filter(({ name }) => name !== '.sbat');
  return layOut(stub, inFileOrder([sbat, ...others]), kernel.nxCompat);
}

/** Lays out a stub with sections in this order. Only `.linux` is code. */
export function layOut(
  stub: Uint8Array,
  sections: readonly UkiSection[],
  nxCompat: boolean,
): ImageLayout {
  const marked = sections.map((section) => ({ ...section, code: section.name === '.linux' }));
  return appendSections(stub, marked, { nxCompat });
}

/**
 * Returns an image's merged `.sbat`: the stub's, the kernel's, and the given one or the default.
 */
export function ukiSbat(
  stub: Uint8Array,
  kernel: Pick<KernelTraits, 'sbat'>,
  given: readonly Uint8Array[],
): UkiSection {
  const own = given.length > 0 ? given : [defaultSbat];
  const bytes = mergeSbat([...stubSbat(stub), ...kernelSbat(kernel), ...own]);
  return { name: '.sbat', content: { kind: 'bytes', bytes } };
}

function requirePresent(sections: readonly UkiSection[], name: string): void {
  if (sections.some((section) => section.name === name && contentSize(section.content) > 0)) return;
  throw new EspError('CONFIG_INVALID', `section ${name}: expected in every UKI, got none`);
}

function givenSbat({ content }: UkiSection): Uint8Array {
  if (content.kind === 'bytes') return content.bytes;
  throw new RangeError('"content" of .sbat expected bytes');
}

function stubSbat(stub: Uint8Array): Uint8Array[] {
  const source = bytesSource(stub);
  const section = findSection(parsePe(source, 'stub'), '.sbat');
  return section === undefined ? [] : [readSection(source, section, MAX_STUB_SBAT)];
}

function kernelSbat({ sbat }: Pick<KernelTraits, 'sbat'>): Uint8Array[] {
  return sbat === undefined ? [] : [sbat];
}

/** The name of an image's section, and the digest of its content. */
export interface SectionDigest {
  readonly name: string;
  readonly digest: Digest;
}

/**
 * Returns the identity of an image, which its file name carries: the SHA-256 of the text
 *
 *     uki 1
 *     <name> <SHA-256>      for each section in measurement order, profile by profile
 *     signer <fingerprint>
 *
 * with a newline after every line. The stub's own sections are not included, and neither are
 * `.sbat` and `.pcrsig`, which change with the stub. So a new stub does not rename images that are
 * known to be good.
 * @param fingerprint the signing certificate's SHA-256 in hexadecimal, or `unsigned`
 */
export function ukiId(sections: readonly SectionDigest[], fingerprint: string): Digest {
  const payload = sections.filter(
    ({ name, digest }) => findKnown(name)?.derived === false && digest !== NOTHING,
  );
  const lines = inMeasurementOrder(payload).map(({ name, digest }) => `${name} ${digest}\n`);
  return hash(`uki 1\n${lines.join('')}signer ${fingerprint}\n`);
}
