/** An image from parts that a person named: a UKI, an addon, or a profile to join to another image. */
import type { ByteSource } from '../byte-source.ts';
import { bytesSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import type { Content, ImageLayout, Piece } from '../pe/image-layout.ts';
import { roundUp } from '../pe/image-layout.ts';
import { contentRange, findSection, parsePe, readSection } from '../pe/pe.ts';
import type { KernelTraits } from './kernel.ts';
import { addonSbat, mergeSbat } from './sbat.ts';
import { inFileOrder, requireDistinct, type SectionName } from './section.ts';
import { layOut, type UkiSection, ukiSbat } from './uki.ts';

/** What goes into an image, as `ukify build` takes it. */
export interface ImageParts {
  readonly stub: Uint8Array;
  /** Facts about what lies in `.linux`; undefined without one, for an addon or a profile. */
  readonly kernel: Pick<KernelTraits, 'nxCompat' | 'sbat'> | undefined;
  /** Sections that have an option of their own, in any order; neither `.sbat` nor `.profile`. */
  readonly sections: readonly UkiSection[];
  /** Sections given by name, in their order. */
  readonly extra: readonly UkiSection[];
  /** SBAT of the user's own; the default is taken where there is none. */
  readonly sbat: readonly Uint8Array[];
  readonly profile: Uint8Array | undefined;
  /** The sections of each profile to join, its `.profile` first. */
  readonly joined: readonly (readonly UkiSection[])[];
}

/** What the base profile is called when others are joined and it has no name. */
const MAIN_PROFILE = new TextEncoder().encode('ID=main');

/** No kernel takes more than some KiB. Bytes. */
const MAX_CMDLINE = 1024 * 1024;

/** What is taken from the image of a profile. A profile has no other section that counts. */
const PROFILE_SECTIONS: readonly SectionName[] = [
  ...(['.profile', '.osrel', '.cmdline', '.dtb', '.uname', '.splash', '.linux'] as const),
  ...(['.initrd', '.efifw', '.ucode'] as const),
];

/**
 * Lays out an image as `ukify build` does (UKI §PE sections, §Multi-Profile UKIs). Without profiles to
 * join, an image with a `.profile` is itself one to be joined: that comes first, and there is no
 * `.sbat`. With them, the base's own `.profile` closes the base.
 * @throws {CONFIG_INVALID} when a section occurs twice in a profile, or is one of the stub's own
 * @throws {PE_MALFORMED} when the stub is damaged, signed or has no room for the section headers
 */
export function buildLayout(parts: ImageParts): ImageLayout {
  const { stub, kernel, sections, extra, profile, joined } = parts;
  const isProfile = profile !== undefined && joined.length === 0;
  const ordered: UkiSection[] = [
    ...(isProfile ? [bytesSection('.profile', profile)] : []),
    ...inFileOrder(sections),
    ...extra,
    ...(isProfile ? [] : [sbatOf(parts)]),
    ...(joined.length > 0 ? [bytesSection('.profile', profile ?? MAIN_PROFILE)] : []),
    ...joined.flat(),
  ];
  requireDistinct(ordered);
  requireOwnNames(stub, ordered);
  return layOut(stub, ordered, kernel?.nxCompat ?? true);
}

/** An addon does not run its stub, and so does not answer for it. */
function sbatOf({ stub, kernel, sbat }: ImageParts): UkiSection {
  if (kernel !== undefined) return ukiSbat(stub, kernel, sbat);
  return bytesSection('.sbat', mergeSbat(sbat.length > 0 ? sbat : [addonSbat]));
}

/** A section in the place of the stub's code would be an image that cannot start. */
function requireOwnNames(stub: Uint8Array, sections: readonly UkiSection[]): void {
  const pe = parsePe(bytesSource(stub), 'stub');
  const taken = sections.find(
    ({ name }) => name !== '.sbat' && findSection(pe, name) !== undefined,
  );
  if (taken === undefined) return;
  throw new EspError('CONFIG_INVALID', `section ${taken.name}: the stub has one of this name`, {
    hint: 'give the section another name',
  });
}

/** Returns a section whose content is in memory. */
export function bytesSection(name: string, bytes: Uint8Array): UkiSection {
  return { name, content: { kind: 'bytes', bytes } };
}

/**
 * Returns the sections that an image has to offer as a profile, in the order of its section table.
 * @param path where the pieces of the layout find the bytes of `source`
 * @param withOsRelease whether `.osrel` is wanted: ukify leaves it out where the base has none
 * @throws {CONFIG_INVALID} when it does not begin with the one `.profile` that it must have
 * @throws {PE_MALFORMED} when the image is not whole
 */
export function profileSections(
  source: ByteSource,
  path: string,
  withOsRelease: boolean,
): readonly UkiSection[] {
  const sections = parsePe(source, path).sections.filter(
    ({ name }) =>
      PROFILE_SECTIONS.some((known) => known === name) && (withOsRelease || name !== '.osrel'),
  );
  const names = sections.map(({ name }) => name);
  if (names.lastIndexOf('.profile') !== 0) {
    const got = names.length === 0 ? 'no section of a profile' : names.join(' ');
    throw new EspError(
      'CONFIG_INVALID',
      `${path}: expected one .profile, and it first, got ${got}`,
      {
        hint: 'make the image of a profile with --profile and without --join-profile',
      },
    );
  }
  return sections.map((section) => {
    // It is text, and may get more words.
    if (section.name === '.cmdline')
      return bytesSection(section.name, readSection(source, section, MAX_CMDLINE));
    const piece: Piece = { kind: 'file', path, ...contentRange(section) };
    return { name: section.name, content: { kind: 'pieces', pieces: [piece] } };
  });
}

/** A file by its path. Size in bytes. */
export interface SizedPath {
  readonly path: string;
  readonly size: number;
}

/** Archives start at multiples of this, in bytes (Linux §early userspace, buffer format). */
const ARCHIVE_ALIGNMENT = 4;

/** Returns the content of `.initrd` for archives that the kernel unpacks one after the other. */
export function joinedInitrds(initrds: readonly SizedPath[]): Content {
  const [first, ...more] = initrds;
  if (first !== undefined && more.length === 0) return { kind: 'file', ...first };
  const pieces = initrds.flatMap(({ path, size }): Piece[] => [
    { kind: 'file', path, offset: 0, size },
    { kind: 'zeros', size: roundUp(size, ARCHIVE_ALIGNMENT) - size },
  ]);
  return { kind: 'pieces', pieces };
}
