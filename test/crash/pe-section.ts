/** As much of a PE file as a boot menu reads: one small section (PE/COFF §Section Table). */

const PE_OFFSET = 0x3c;
const COFF_HEADER = 24;
const SECTION_HEADER = 40;
const MAX_SECTIONS = 96;
const MAX_TEXT = 64 * 1024;

/** Returns the text of a section up to its first NUL, or undefined when the file does not give it. */
export function sectionText(bytes: Uint8Array, name: string): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const u16 = (offset: number) => (offset + 2 <= bytes.length ? view.getUint16(offset, true) : 0);
  const u32 = (offset: number) => (offset + 4 <= bytes.length ? view.getUint32(offset, true) : 0);
  const header = u32(PE_OFFSET);
  if (u16(0) !== 0x5a4d || u32(header) !== 0x4550) return undefined;
  const table = header + COFF_HEADER + u16(header + 20);
  const count = u16(header + 6);
  if (count > MAX_SECTIONS) return undefined;
  for (let index = 0; index < count; index++) {
    const at = table + index * SECTION_HEADER;
    if (new TextDecoder().decode(bytes.subarray(at, at + 8)).replace(/\0+$/, '') !== name) continue;
    const size = Math.min(u32(at + 8), u32(at + 16), MAX_TEXT);
    const start = u32(at + 20);
    if (start + size > bytes.length) return undefined;
    return new TextDecoder().decode(bytes.subarray(start, start + size)).split('\0')[0];
  }
  return undefined;
}
