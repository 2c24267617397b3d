/** As much of a PE file as firmware and a boot menu look at (PE/COFF §Section Table). */

const PE_OFFSET = 0x3c;
const COFF_HEADER = 24;
const SECTION_HEADER = 40;
const MAX_SECTIONS = 512;
const MAX_TEXT = 64 * 1024;

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
