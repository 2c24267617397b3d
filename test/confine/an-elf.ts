/** Small ELF files made to order: as much of one as a dynamic linker's reader looks at. */

/** What a file asks of the dynamic linker, and what it is. */
export interface ElfShape {
  readonly bits?: 32 | 64;
  readonly bigEndian?: boolean;
  readonly machine?: number;
  readonly interpreter?: string;
  readonly needed?: readonly string[];
  readonly soname?: string;
  readonly rpath?: string;
  readonly runpath?: string;
  readonly flags1?: number;
}

/** Where everything is mapped: a linker's usual choice. */
const BASE = 0x400000;

/** Returns an ELF file: header, three program headers, dynamic section, strings. */
export function anElf(shape: ElfShape = {}): Uint8Array {
  const { bits = 64, bigEndian = false, machine = 62, interpreter } = shape;
  const word = bits / 8;
  const [headerSize, segmentSize] = bits === 64 ? [64, 56] : [52, 32];
  const strings = [''];
  const at = (text: string): number => {
    const offset = strings.join('\0').length + 1;
    strings.push(text);
    return offset;
  };
  const tags: [number, number][] = (shape.needed ?? []).map((name) => [1, at(name)]);
  if (shape.soname !== undefined) tags.push([14, at(shape.soname)]);
  if (shape.rpath !== undefined) tags.push([15, at(shape.rpath)]);
  if (shape.runpath !== undefined) tags.push([29, at(shape.runpath)]);
  if (shape.flags1 !== undefined) tags.push([0x6ffffffb, shape.flags1]);
  const interpreterAt = at(interpreter ?? '');
  const text = new TextEncoder().encode(`${strings.join('\0')}\0`);
  const dynamicAt = headerSize + 3 * segmentSize;
  const dynamicSize = (tags.length + 3) * 2 * word;
  const stringsAt = dynamicAt + dynamicSize;
  const all = [...tags, [5, BASE + stringsAt], [10, text.length], [0, 0]] as const;
  const size = stringsAt + text.length;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, width: number, value: number): void => {
    if (width === 2) view.setUint16(offset, value, !bigEndian);
    else if (width === 4) view.setUint32(offset, value, !bigEndian);
    else view.setBigUint64(offset, BigInt(value), !bigEndian);
  };
  bytes.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, bigEndian ? 2 : 1, 1]);
  put(18, 2, machine);
  put(bits === 64 ? 32 : 28, word, headerSize);
  put(bits === 64 ? 54 : 42, 2, segmentSize);
  put(bits === 64 ? 56 : 44, 2, 3);
  const segments = [
    [1, 0, size],
    [2, dynamicAt, dynamicSize],
    [interpreter === undefined ? 0 : 3, stringsAt + interpreterAt, (interpreter ?? '').length + 1],
  ] as const;
  segments.forEach(([type, offset, length], index) => {
    const start = headerSize + index * segmentSize;
    const first = bits === 64 ? start + 8 : start + 4;
    put(start, 4, type);
    put(first, word, offset);
    put(first + word, word, BASE + offset);
    put(first + 3 * word, word, length);
  });
  all.forEach(([tag, value], index) => {
    put(dynamicAt + index * 2 * word, word, tag);
    put(dynamicAt + (index * 2 + 1) * word, word, value);
  });
  bytes.set(text, stringsAt);
  return bytes;
}
