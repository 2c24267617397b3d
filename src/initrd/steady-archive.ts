/** Archives without what differs each time they are made, though nothing in them does: times and inode numbers. */
import { bytesSource } from '../byte-source.ts';
import {
  ALIGNMENT,
  FIELD,
  FIELD_SIZE,
  HEADER_SIZE,
  MAGIC,
  MAGIC_SIZE,
  MAX_NAME,
  ZERO_DIGIT,
} from './cpio.ts';
import { UnpackedBytes } from './forward-bytes.ts';
import { damaged, Obstruction } from './obstacle.ts';
import { formatAt } from './packed.ts';
import type { Unxz } from './xz.ts';

/** Secrets are small. Bytes. */
const LIMIT = 64 * 1024 * 1024;

/**
 * Returns archives with their times and device numbers zero, and with inodes numbered in their order. What is
 * packed comes out unpacked: what a packer makes of it may differ from one version to the next.
 * @param bytes the end of an initrd
 * @param offset where in the initrd it begins: the kernel wants what is not packed at multiples of four
 * @returns undefined when it is something else than whole archives of cpio
 */
export async function steadyArchive(
  bytes: Uint8Array,
  offset: number,
  unxz?: Unxz,
): Promise<Uint8Array | undefined> {
  try {
    return await rewritten(bytes, offset, unxz);
  } catch (error) {
    if (error instanceof Obstruction) return undefined;
    throw error;
  }
}

async function rewritten(bytes: Uint8Array, offset: number, unxz?: Unxz): Promise<Uint8Array> {
  const source = bytesSource(bytes);
  const parts: Uint8Array[] = [];
  let length = 0;
  const add = (part: Uint8Array): void => {
    parts.push(part);
    length += part.length;
    if (length > LIMIT) throw damaged(`expected at most ${LIMIT} bytes, got more`);
  };
  for (let at = 0; at < bytes.length; ) {
    const start = pastZeros(bytes, at);
    add(bytes.subarray(at, start));
    if (start === bytes.length) break;
    if (bytes[start] === ZERO_DIGIT && (offset + start) % ALIGNMENT === 0) {
      const plain = bytes.slice(start);
      const size = steady(plain);
      add(padding(offset + length));
      add(plain.subarray(0, size));
      at = start + size;
      continue;
    }
    const [, unpack] = formatAt(source, start);
    await using packed = new UnpackedBytes(unpack(source, start, unxz), LIMIT);
    const plain = Uint8Array.from(await packed.peek(LIMIT));
    if (steady(plain) < plain.length) throw damaged('expected archives and nothing else');
    add(padding(offset + length));
    add(plain);
    await packed.skip(plain.length);
    at = await packed.end();
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** Rewrites the headers of one archive after another; returns where something else begins. */
function steady(bytes: Uint8Array): number {
  const numbers = new Map<string, number>();
  for (let at = 0; ; ) {
    const start = pastZeros(bytes, at);
    if (start === bytes.length) return start;
    if (start % ALIGNMENT !== 0) return at;
    if (bytes[start] !== ZERO_DIGIT) return at;
    at = steadyMember(bytes, start, numbers);
  }
}

/** Rewrites the header at an offset; returns where its member ends. */
function steadyMember(bytes: Uint8Array, start: number, numbers: Map<string, number>): number {
  const header = Buffer.from(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  const magic = header.toString('latin1', 0, MAGIC_SIZE);
  if (!MAGIC.test(magic)) throw damaged(`expected a cpio header, got ${JSON.stringify(magic)}`);
  const at = (field: keyof typeof FIELD) => MAGIC_SIZE + FIELD[field] * FIELD_SIZE;
  const text = (field: keyof typeof FIELD) =>
    header.toString('latin1', at(field), at(field) + FIELD_SIZE);
  const number = (field: keyof typeof FIELD): number => {
    if (/^[0-9a-f]{8}$/i.test(text(field))) return Number.parseInt(text(field), 16);
    throw damaged(`expected hexadecimal digits, got ${JSON.stringify(text(field))}`);
  };
  const [nameSize, size] = [number('nameSize'), number('size')];
  if (nameSize === 0 || nameSize > MAX_NAME) throw damaged(`got a name of ${nameSize} bytes`);
  const end = aligned(aligned(start + HEADER_SIZE + nameSize) + size);
  // Padding behind the last member may be left out.
  if (aligned(start + HEADER_SIZE + nameSize) + size > bytes.length) throw damaged('got the end');
  // The same number twice is one file with two names.
  const file = ['major', 'minor', 'inode'].map((field) => text(field as keyof typeof FIELD)).join();
  const inode = number('inode') === 0 ? 0 : (numbers.get(file) ?? numbers.size + 1);
  if (inode !== 0) numbers.set(file, inode);
  const put = (field: keyof typeof FIELD, value: number) =>
    header.write(value.toString(16).toUpperCase().padStart(FIELD_SIZE, '0'), at(field), 'latin1');
  put('inode', inode);
  for (const field of ['modified', 'major', 'minor'] as const) put(field, 0);
  return Math.min(end, bytes.length);
}

function pastZeros(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

function aligned(size: number): number {
  return Math.ceil(size / ALIGNMENT) * ALIGNMENT;
}

function padding(length: number): Uint8Array {
  return new Uint8Array(aligned(length) - length);
}
