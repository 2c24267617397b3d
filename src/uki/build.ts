/**
 * Lays out an image from parts that a person named: a UKI, an addon, or a profile for another
 * image.
 */
import { type ByteSource, bytesSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import type { Content, ImageLayout, Piece } from '../pe/image-layout.ts';
import { roundUp } from '../pe/image-layout.ts';
import { contentRange, findSection, parsePe, readSection } from '../pe/pe.ts';
import type { KernelTraits } from './kernel.ts';
import { addonSbat, mergeSbat } from './sbat.ts';
import { inFileOrder, requireDistinct, type SectionName } from './section.ts';
import { layOut, type UkiSection, ukiSbat } from './uki.ts';

/** The parts of an image, as `ukify build` takes them. */
export interface ImageParts {
  readonly stub: Uint8Array;
  /** Facts about the kernel in `.linux`; undefined without one, in an addon or a profile. */
  readonly kernel: Pick<KernelTraits, 'nxCompat' | 'sbat'> | undefined;
  /** Sections with an option of their own, in any order, except `.sbat` and `.profile`. */
  readonly sections: readonly UkiSection[];
  /** Sections given by name, in the order given. */
  readonly extra: readonly UkiSection[];
  /** SBAT of the user. Without any, the default is used. */
  readonly sbat: readonly Uint8Array[];
  readonly profile: Uint8Array | undefined;
  /** The sections of each profile to join, each with its `.profile` first. */
  readonly joined: readonly (readonly UkiSection[])[];
  /** The text of `.pcrsig` for the base and for each profile to join, in their order. */
  readonly policies?: readonly (Uint8Array | undefined)[];
}

/** The name of the base profile when others are joined and it has none. */
const MAIN_PROFILE = new TextEncoder().encode('ID=main');

/** In bytes. No kernel accepts more than some KiB, and no profile says as much. */
const MAX_TEXT = 1024 * 1024;

/** The sections that are taken from a profile's image. Others do not count in a profile. */
const PROFILE_SECTIONS: readonly SectionName[] = [
  ...(['.profile', '.osrel', '.cmdline', '.dtb', '.uname', '.splash', '.linux'] as const),
  ...(['.initrd', '.efifw', '.ucode'] as const),
];

/**
 * Lays out an image as `ukify build` does (UKI §PE sections, §Multi-Profile UKIs).
 * @throws {CONFIG_INVALID} when a section occurs twice in a profile, or is one of the stub's own
 * @throws {PE_MALFORMED} when the stub is damaged, signed or has no room for the section headers
 */
export function buildLayout(parts: ImageParts): ImageLayout {
  const { stub, kernel } = parts;
  const ordered = imageSections(parts);
  requireDistinct(ordered);
  requireOwnNames(stub, ordered);
  return layOut(stub, ordered, kernel?.nxCompat ?? true);
}

/** Lays out an addon (UKI §Addons): what stubs add to every image beside it. */
export function addonLayout(stub: Uint8Array, sections: readonly UkiSection[]): ImageLayout {
  const none = { kernel: undefined, extra: [], sbat: [], profile: undefined, joined: [] };
  return buildLayout({ ...none, stub, sections });
}

/** Returns whether the parts make a profile for another image. */
export function isForJoining({ profile, joined }: ImageParts): boolean {
  return profile !== undefined && joined.length === 0;
}

/**
 * Returns the sections of an image in the order of its table. An image with a `.profile` and without
 * profiles to join becomes a profile for another image: `.profile` comes first, and there is no
 * `.sbat`. With profiles to join, the base's own `.profile` closes the base.
 */
export function imageSections(parts: ImageParts): readonly UkiSection[] {
  const { sections, extra, profile, joined, policies = [] } = parts;
  const isProfile = isForJoining(parts);
  const [own, ...others] = policies.map((text) =>
    text === undefined ? [] : [bytesSection('.pcrsig', text)],
  );
  return [
    ...(isProfile && profile ? [bytesSection('.profile', profile)] : []),
    ...inFileOrder(sections),
    ...extra,
    ...(isProfile ? [] : [sbatOf(parts)]),
    ...(joined.length > 0 ? [bytesSection('.profile', profile ?? MAIN_PROFILE)] : []),
    ...(own ?? []),
    ...joined.flatMap((each, index) => [...each, ...(others[index] ?? [])]),
  ];
}

/** An addon does not run its stub, so it leaves out the stub's SBAT. */
function sbatOf({ stub, kernel, sbat }: ImageParts): UkiSection {
  if (kernel !== undefined) return ukiSbat(stub, kernel, sbat);
  return bytesSection('.sbat', mergeSbat(sbat.length > 0 ? sbat : [addonSbat]));
}

/** Refuses a section with the name of one of the stub's own: the image could not start. */
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
 * Returns the sections that an image offers as a profile, in the order of its section table.
 * @param path the file that the pieces of the layout name for the bytes of `source`
 * @param withOsRelease whether to include `.osrel`, which ukify omits when the base has none
 * @throws {CONFIG_INVALID} when it does not begin with its only `.profile`
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
    // Both are texts: words may be appended to the one, and the other tells the profile's ID.
    if (section.name === '.cmdline' || section.name === '.profile')
      return bytesSection(section.name, readSection(source, section, MAX_TEXT));
    const piece: Piece = { kind: 'file', path, ...contentRange(section) };
    return { name: section.name, content: { kind: 'pieces', pieces: [piece] } };
  });
}

/** The path of a file. Size in bytes. */
export interface SizedPath {
  readonly path: string;
  readonly size: number;
}

/** Archives start at multiples of this many bytes (Linux §early userspace, buffer format). */
const ARCHIVE_ALIGNMENT = 4;

/** Returns an `.initrd` of archives in a row, which the kernel unpacks one after the other. */
export function joinedInitrds(initrds: readonly SizedPath[]): Content {
  const [first, ...more] = initrds;
  if (first !== undefined && more.length === 0) return { kind: 'file', ...first };
  const pieces = initrds.flatMap(({ path, size }): Piece[] => [
    { kind: 'file', path, offset: 0, size },
    { kind: 'zeros', size: roundUp(size, ARCHIVE_ALIGNMENT) - size },
  ]);
  return { kind: 'pieces', pieces };
}
