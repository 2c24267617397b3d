/** As much of a PE file as firmware and a boot menu look at (PE/COFF §Section Table). */

const PE_OFFSET = 0x3c;
const COFF_HEADER = 24;
const SECTION_HEADER = 40;
const MAX_SECTIONS = 512;
const MAX_TEXT = 64 * 1024;
const PE32_PLUS = 0x20b;

/** A section's place in the file, in bytes. */
interface Section {
  readonly name: string;
  readonly start: number;
  readonly size: number;
  /** Bytes that the program sees; what is beyond `size` of them is zero. */
  readonly virtualSize: number;
}

/** Returns the sections, or undefined when it is no PE file or its table is not all there. */
function sectionsOf(bytes: Uint8Array): readonly Section[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (offset: number) => (offset + 2 <= bytes.length ? view.getUint16(offset, true) : 0);
  const u32 = (offset: number) => (offset + 4 <= bytes.length ? view.getUint32(offset, true) : 0);
  const header = u32(PE_OFFSET);
  if (u16(0) !== 0x5a4d || u32(header) !== 0x4550) return undefined;
  const table = header + COFF_HEADER + u16(header + 20);
  const count = u16(header + 6);
  if (count > MAX_SECTIONS || table + count * SECTION_HEADER > bytes.length) return undefined;
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * SECTION_HEADER;
    const name = new TextDecoder().decode(bytes.subarray(at, at + 8)).replace(/\0+$/, '');
    return { name, start: u32(at + 20), size: u32(at + 16), virtualSize: u32(at + 8) };
  });
}

/** Tells whether firmware would load a program: it refuses one of which a section is not all there. */
export function isLoadable(bytes: Uint8Array): boolean {
  const isThere = ({ start, size }: Section) => start + size <= bytes.length;
  return sectionsOf(bytes)?.every(isThere) ?? false;
}

/** Returns the text of a section up to its first NUL, or undefined when the file does not give it. */
export function sectionText(bytes: Uint8Array, wanted: string): string | undefined {
  const section = sectionsOf(bytes)?.find(({ name }) => name === wanted);
  return section && textOf(bytes, section);
}

/**
 * Returns the text of a section in a profile of an image (UKI §Multi-Profile UKIs): of what stands
 * between the `.profile` of that number and the next.
 */
export function profileText(
  bytes: Uint8Array,
  profile: number,
  wanted: string,
): string | undefined {
  const sections = sectionsOf(bytes) ?? [];
  const starts = sections.flatMap(({ name }, at) => (name === '.profile' ? [at] : []));
  const own =
    starts[profile] === undefined ? [] : sections.slice(starts[profile], starts[profile + 1]);
  const section = own.find(({ name }) => name === wanted);
  return section && textOf(bytes, section);
}

function textOf(bytes: Uint8Array, section: Section): string | undefined {
  const end = section.start + Math.min(section.virtualSize, section.size, MAX_TEXT);
  if (end > bytes.length) return undefined;
  return new TextDecoder().decode(bytes.subarray(section.start, end)).split('\0')[0];
}

/** Where the certificates of a program lie: to its end, from `at`; `directory` is where the header says so. */
export interface Certificates {
  readonly at: number;
  readonly directory: number;
}

const CERTIFICATE_DIRECTORY = 4;
const CHECKSUM = 64;

/** Returns where the certificates lie, or undefined when a program has none (PE/COFF §Optional Header Data Directories). */
export function certificatesOf(bytes: Uint8Array): Certificates | undefined {
  const directory = directoryOf(bytes);
  const at = directory && Buffer.from(bytes.subarray(directory)).readUInt32LE();
  return directory && at && at < bytes.length ? { at, directory } : undefined;
}

/** Returns a program without what a signature adds and changes, or undefined for what is no program. */
export function withoutSignature(bytes: Uint8Array): Uint8Array | undefined {
  const directory = directoryOf(bytes);
  if (directory === undefined) return undefined;
  const bare = bytes.slice(0, certificatesOf(bytes)?.at);
  const checksum = Buffer.from(bytes).readUInt32LE(PE_OFFSET) + COFF_HEADER + CHECKSUM;
  bare.fill(0, directory, directory + 8).fill(0, checksum, checksum + 4);
  return bare;
}

/** Returns the offset of the header's field that says where the certificates lie. */
function directoryOf(bytes: Uint8Array): number | undefined {
  if (sectionsOf(bytes) === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const optional = view.getUint32(PE_OFFSET, true) + COFF_HEADER;
  const directories = optional + (view.getUint16(optional, true) === PE32_PLUS ? 112 : 96);
  const directory = directories + CERTIFICATE_DIRECTORY * 8;
  return directory + 8 > bytes.length ? undefined : directory;
}

/** Returns the size of all headers in bytes, or 0 when it is no program. */
export function headersOf(bytes: Uint8Array): number {
  const sections = sectionsOf(bytes);
  return sections ? Math.min(bytes.length, ...sections.map(({ start }) => start)) : 0;
}
