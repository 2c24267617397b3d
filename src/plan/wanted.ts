/** What a generation should look like on an ESP: entries, and the files they name. Pure. */
import { type Digest, hash } from '../digest.ts';
import type { ExtraRole } from '../esp/extra-manifest.ts';
import {
  type BlobKind,
  blobDirectory,
  countedPath,
  ENTRIES,
  type EspPath,
  entryId,
  espPath,
  fileName,
  formatBlobName,
  formatEntryName,
  IMAGES,
  slug,
} from '../esp/layout.ts';
import { formatType1 } from '../esp/type1.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import { type Generation, kernelVersion, versionTag } from '../generation/generation.ts';
import { formatCmdline } from '../uki/cmdline.ts';
import { entryOsRelease } from '../uki/os-release.ts';
import { ukiId } from '../uki/uki.ts';
import type { Content, ImageContent, SectionContent } from './step.ts';

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

/** The default systemd-boot sort key where a bootspec gives none. */
const DEFAULT_SORT_KEY = 'nixos';

/** How a generation is called in messages: `5`, or `PROFILE-5` for a named profile. */
export function generationName({
  profile,
  number,
}: Pick<Generation, 'profile' | 'number'>): string {
  return profile === undefined ? String(number) : `${profile}-${number}`;
}

/** The longest label that is shown, in UTF-16 units. */
const LABEL_LIMIT = 256;

/** Returns what a menu shows for an entry; a named profile stands in brackets. */
function label({ generation, bootspec }: Resolved): string {
  const text = bootspec.label.slice(0, LABEL_LIMIT);
  return generation.profile === undefined ? text : `${text} [${generation.profile}]`;
}

function nameParts({ generation, specialisation }: Resolved) {
  return {
    generation: generation.number,
    ...(specialisation === undefined ? {} : { slug: slug(specialisation) }),
  };
}

/** What decides the place of an entry in the menu. */
function menuOrder({ generation, specialisation, bootspec }: Resolved) {
  return {
    version: versionTag(generation, specialisation),
    sortKey: bootspec.sortKey ?? DEFAULT_SORT_KEY,
  };
}

/** Returns the content-addressed file of a payload that belongs to a bootspec. */
export function wantBlob(
  token: string,
  bootspec: Bootspec,
  kind: BlobKind,
  { path, size, digest, signed }: Payload,
): WantedFile {
  const name = formatBlobName({ kind, version: kernelVersion(bootspec), digest });
  return {
    role: 'blob',
    path: espPath(blobDirectory(token), name),
    size,
    content: { kind: signed ? 'signed' : 'file', path },
  };
}

/** Returns the Type #1 entry of a generation or specialisation and the blobs it names. */
export function wantType1(token: string, resolved: Resolved): WantedEntry {
  const { bootspec } = resolved;
  const kernel = wantBlob(token, bootspec, 'kernel', resolved.kernel);
  const initrd = resolved.initrd && wantBlob(token, bootspec, 'initrd', resolved.initrd);
  const devicetree =
    resolved.devicetree && wantBlob(token, bootspec, 'devicetree', resolved.devicetree);
  // One of ours gets a name of its own: under that of the extra file it would be gone while it changes.
  const extra = (resolved.extraInitrds ?? []).map((one) =>
    typeof one === 'string' ? one : wantBlob(token, bootspec, 'initrd', one),
  );
  const others = extra.filter((one) => typeof one === 'string');
  const order = menuOrder(resolved);
  const cmdline = formatCmdline(bootspec.init, bootspec.kernelParams);
  const text = formatType1({
    title: label(resolved),
    ...order,
    linux: kernel.path,
    initrd: [
      ...(initrd ? [initrd.path] : []),
      ...extra.map((one) => (typeof one === 'string' ? one : one.path)),
    ],
    ...(devicetree ? { devicetree: devicetree.path } : {}),
    options: cmdline,
  });
  const name = formatEntryName(token, {
    kind: 'type1',
    ...nameParts(resolved),
    digest: hash(text),
  });
  return {
    id: name,
    toplevel: bootspec.toplevel,
    title: `${label(resolved)} (${order.version})`,
    ...order,
    cmdline,
    file: {
      role: 'entry',
      path: espPath(ENTRIES, name),
      size: new TextEncoder().encode(text).length,
      content: { kind: 'text', text },
    },
    blobs: [
      kernel,
      ...(initrd ? [initrd] : []),
      ...extra.filter((one) => typeof one !== 'string'),
      ...(devicetree ? [devicetree] : []),
    ],
    ...(others.length > 0 ? { others } : {}),
  };
}

/** Returns the Unified Kernel Image of a generation or specialisation. */
export function wantUki(token: string, resolved: Resolved, image: ImageSettings): WantedEntry {
  const sections: readonly SectionContent[] = [
    ...describingSections(resolved),
    ...(resolved.devicetree ? [fileSection('.dtb', resolved.devicetree)] : []),
    ...(resolved.uname === undefined ? [] : [textSection('.uname', resolved.uname)]),
    fileSection('.linux', resolved.kernel),
    ...(resolved.initrd ? [fileSection('.initrd', resolved.initrd)] : []),
    ...image.extra,
  ];
  const digest = ukiId(sections, image.fingerprint);
  return wantImage(token, resolved, image, { kind: 'uki', sections, digest, blobs: [] });
}

/** Returns the sections of an image that say what it is and what it boots. */
export function describingSections(resolved: Resolved): readonly SectionContent[] {
  const { bootspec } = resolved;
  const { sortKey, version: versionTag } = menuOrder(resolved);
  const osRelease = entryOsRelease({ sortKey, label: label(resolved), versionTag });
  const cmdline = formatCmdline(bootspec.init, bootspec.kernelParams);
  return [textSection('.osrel', osRelease), textSection('.cmdline', cmdline)];
}

/** What is particular to one kind of image. */
export interface ImageParts {
  readonly kind: ImageContent['kind'];
  readonly sections: readonly SectionContent[];
  readonly digest: Digest;
  /** The files on the ESP that the image names. */
  readonly blobs: readonly WantedFile[];
}

/** Returns the entry that an image is. */
export function wantImage(
  token: string,
  resolved: Resolved,
  { stub, stubSize }: ImageSettings,
  { kind, sections, digest, blobs }: ImageParts,
): WantedEntry {
  const { bootspec } = resolved;
  const order = menuOrder(resolved);
  const name = formatEntryName(token, { kind: 'uki', ...nameParts(resolved), digest });
  return {
    id: name,
    toplevel: bootspec.toplevel,
    title: `${label(resolved)} (${order.version})`,
    ...order,
    cmdline: formatCmdline(bootspec.init, bootspec.kernelParams),
    file: {
      role: 'entry',
      path: espPath(IMAGES, name),
      size: imageSizeLimit(stubSize, sections),
      content: { kind, stub, sections },
    },
    blobs,
  };
}

/** Room for headers that grow, a merged `.sbat`, the padding of each section, and a signature. Bytes. */
const IMAGE_ROOM = 32 * 1024;

/** Returns the most bytes that an image may have: its layout is worked out when it is written. */
function imageSizeLimit(stubSize: number, sections: readonly SectionContent[]): number {
  return sections.reduce((sum, { size }) => sum + size, stubSize + IMAGE_ROOM);
}

/** Returns a section whose content is text in memory. */
export function textSection(name: string, text: string): SectionContent {
  return {
    name,
    digest: hash(text),
    size: new TextEncoder().encode(text).length,
    content: { kind: 'text', text },
  };
}

/** Returns a section whose content is a file. */
function fileSection(name: string, { path, size, digest }: Payload): SectionContent {
  return { name, digest, size, content: { kind: 'file', path } };
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
