/** Reads tar files: ustar, GNU's and pax headers (POSIX.1 pax §ustar, §pax; tar(5)). Untrusted bytes. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import type { DeviceNumber, NodeKind, Xattr } from './node.ts';
import { type PaxRecords, parsePax, paxNumber, xattrsOf } from './pax.ts';
import { BLOCK, FIELD, type Field, MAGIC } from './tar-header.ts';

/** A member of a tar file. Its content lies at `offset`. Sizes in bytes, times in whole seconds. */
export interface TarMember {
  readonly path: string;
  /** `hard-link`: another name of the member at `target`. */
  readonly kind: NodeKind | 'hard-link';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modified: number;
  readonly offset: number;
  readonly size: number;
  readonly target: string;
  readonly device: DeviceNumber;
  readonly xattrs: readonly Xattr[];
}

const KINDS: Readonly<Record<string, TarMember['kind']>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hard-link',
  '2': 'link',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  '7': 'file',
};

/** In bytes: of a header that describes the next member. */
const MAX_EXTENDED = 1024 * 1024;

/** Types of headers that describe the next member, or all further ones. */
const EXTENDED = ['x', 'g', 'L', 'K'];

/** What headers before a member say about it, and about all further ones. */
interface Said {
  readonly pax: PaxRecords;
  readonly common: PaxRecords;
  readonly name?: string;
  readonly target?: string;
}

/**
 * Yields the members of a tar file in their order. `name` is its name in errors.
 * @throws {TREE_MALFORMED} when a header is damaged, of a kind that is not known, or points beyond
 * the end of the file
 */
export function* tarMembers(source: ByteSource, name: string): Generator<TarMember> {
  let said: Said = { pax: new Map(), common: new Map() };
  for (let at = 0; at < source.size; ) {
    const header = source.read(at, BLOCK);
    if (header.length < BLOCK)
      throw malformed(name, at, 'a whole header', `${header.length} bytes`);
    if (header.every((byte) => byte === 0)) return;
    requireChecksum(header, name, at);
    const type = text(header, FIELD.type, true);
    const part = { offset: at + BLOCK, size: storedSize(header, type, said, name, at) };
    if (part.offset + part.size > source.size) {
      throw malformed(name, at, `${part.size} bytes of content`, `${source.size - part.offset}`);
    }
    at = part.offset + Math.ceil(part.size / BLOCK) * BLOCK;
    if (EXTENDED.includes(type)) {
      if (part.size > MAX_EXTENDED) {
        throw malformed(name, part.offset, `at most ${MAX_EXTENDED} bytes`, part.size);
      }
      said = extended(type, source.read(part.offset, part.size), said, name, part.offset);
    } else {
      yield memberOf(header, type, part, said, name);
      said = { pax: said.common, common: said.common };
    }
  }
}

/** Returns the size of what is stored behind a header: a link has a size in some archives. */
function storedSize(
  header: Uint8Array,
  type: string,
  { pax }: Said,
  name: string,
  at: number,
): number {
  if ('123456'.includes(type)) return 0;
  const own = EXTENDED.includes(type) ? undefined : paxNumber(pax, 'size');
  const size = own ?? numberOf(header, FIELD.size, name, at);
  if (Number.isInteger(size) && size >= 0) return size;
  throw malformed(name, at, 'a size in bytes', size);
}

function extended(type: string, bytes: Uint8Array, said: Said, name: string, offset: number): Said {
  if (type === 'x')
    return { ...said, pax: new Map([...said.pax, ...parsePax(bytes, name, offset)]) };
  if (type === 'g') {
    const common = new Map([...said.common, ...parsePax(bytes, name, offset)]);
    return { ...said, common, pax: new Map([...common, ...said.pax]) };
  }
  const [long = ''] = decode(bytes, name, offset).split('\0', 1);
  return type === 'L' ? { ...said, name: long } : { ...said, target: long };
}

function memberOf(
  header: Uint8Array,
  type: string,
  { offset, size }: { readonly offset: number; readonly size: number },
  { pax, name: longName, target: longTarget }: Said,
  name: string,
): TarMember {
  const at = offset - BLOCK;
  const kind = KINDS[type];
  if (kind === undefined || [...pax.keys()].some((key) => key.startsWith('GNU.sparse'))) {
    const got = kind === undefined ? `type ${JSON.stringify(type)}` : 'a sparse file';
    throw malformed(name, at, 'a file, directory, link, device or fifo', got);
  }
  const number = (field: Field): number => numberOf(header, field, name, at);
  const owner = (key: 'uid' | 'gid'): number =>
    ownerOf(paxNumber(pax, key) ?? number(FIELD[key]), key, name, at);
  const path = pax.get('path') ?? longName ?? pathOf(header, name, at);
  return {
    path: typeof path === 'string' ? path : decode(path, name, at),
    kind: kind === 'file' && ends(path) ? 'directory' : kind,
    mode: number(FIELD.mode) & 0o7777,
    uid: owner('uid'),
    gid: owner('gid'),
    modified: Math.floor(paxNumber(pax, 'mtime') ?? number(FIELD.modified)),
    offset,
    size,
    target: targetOf(pax, longTarget, header, name, at),
    device: { major: number(FIELD.major), minor: number(FIELD.minor) },
    xattrs: xattrsOf(pax),
  };
}

/** The last number of 32 bits is nobody's: it means that an owner stays (chown(2)). */
const MAX_OWNER = 0xffff_fffe;

/** File systems keep 32 bits, and a larger number would be somebody else's. */
function ownerOf(value: number, key: string, name: string, at: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= MAX_OWNER) return value;
  throw malformed(name, at, `a ${key} of at most ${MAX_OWNER}`, value);
}

/** Before ustar, a directory was a file whose name ends in a slash. */
function ends(path: string | Uint8Array): boolean {
  return typeof path === 'string' ? path.endsWith('/') : path.at(-1) === 0x2f;
}

function pathOf(header: Uint8Array, name: string, at: number): string {
  const own = decode(bytesOf(header, FIELD.name), name, at);
  // GNU's own format has times where ustar has a prefix, and another magic.
  const isUstar = text(header, FIELD.magic, true) === MAGIC;
  const prefix = isUstar ? decode(bytesOf(header, FIELD.prefix), name, at) : '';
  return prefix === '' ? own : `${prefix}/${own}`;
}

function targetOf(
  pax: PaxRecords,
  long: string | undefined,
  header: Uint8Array,
  name: string,
  at: number,
): string {
  const given = pax.get('linkpath');
  if (given !== undefined) return decode(given, name, at);
  return long ?? decode(bytesOf(header, FIELD.target), name, at);
}

function requireChecksum(header: Uint8Array, name: string, at: number): void {
  const expected = numberOf(header, FIELD.checksum, name, at);
  const [from, length] = FIELD.checksum;
  const sum = header.reduce(
    (all, byte, index) => all + (index >= from && index < from + length ? 0x20 : byte),
    0,
  );
  if (sum !== expected) {
    throw malformed(name, at, `a header with the checksum ${expected}`, `${sum}`);
  }
}

function bytesOf(header: Uint8Array, [from, length]: Field): Uint8Array {
  const bytes = header.subarray(from, from + length);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function text(header: Uint8Array, [from, length]: Field, whole = false): string {
  const bytes = header.subarray(from, from + length);
  const all = String.fromCharCode(...bytes);
  return whole ? all : (all.split('\0', 1)[0] ?? '');
}

/** A number in octal digits, or of 255 bits behind a set first bit (GNU). */
function numberOf(header: Uint8Array, field: Field, name: string, at: number): number {
  const bytes = header.subarray(field[0], field[0] + field[1]);
  if (((bytes[0] ?? 0) & 0x80) !== 0) {
    const isNegative = ((bytes[0] ?? 0) & 0x40) !== 0;
    const value = bytes
      .subarray(1)
      .reduce(
        (all, byte) => all * 256 + (isNegative ? 255 - byte : byte),
        isNegative ? 0 : (bytes[0] ?? 0) & 0x3f,
      );
    return isNegative ? -value - 1 : value;
  }
  const digits = text(header, field).trim();
  if (/^[0-7]*$/.test(digits)) return Number.parseInt(digits || '0', 8);
  throw malformed(name, at + field[0], 'a number in octal digits', JSON.stringify(digits));
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Uint8Array, name: string, at: number): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    const shown = JSON.stringify(String.fromCharCode(...bytes.subarray(0, 100)));
    throw malformed(name, at, 'names in UTF-8', shown, cause);
  }
}

function malformed(
  name: string,
  at: number,
  expected: string,
  got: string | number,
  cause?: unknown,
): EspError {
  return new EspError(
    'TREE_MALFORMED',
    `${name}: at offset ${at} of the tar file, expected ${expected}, got ${got}`,
    { hint: 'unpack a compressed file first; make it anew if it is damaged', cause },
  );
}
