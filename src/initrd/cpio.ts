/** Reads the members of a cpio archive, of the kinds `newc` and `crc`, as the kernel does. */
import type { ForwardBytes } from './forward-bytes.ts';
import { damaged } from './obstacle.ts';

/** One member. Size in bytes. */
export interface Member {
  readonly path: string;
  /** Kind and permission bits, as stat(2) gives them. */
  readonly mode: number;
  readonly size: number;
  /** The content, up to a mebibyte, of a member that was requested by name. */
  readonly content?: Uint8Array;
}

export const MAGIC = /^07070[12]$/;
export const MAGIC_SIZE = 6;
export const FIELD_SIZE = 8;
/** Header fields of `newc` and `crc` (Linux early-userspace §buffer-format), by their place. */
export const FIELD = {
  inode: 0,
  mode: 1,
  modified: 5,
  size: 6,
  major: 7,
  minor: 8,
  nameSize: 11,
} as const;
const FIELD_COUNT = 13;
export const HEADER_SIZE = MAGIC_SIZE + FIELD_COUNT * FIELD_SIZE;
export const ALIGNMENT = 4;
/** `PATH_MAX`: the kernel ignores members with a longer name or none. */
export const MAX_NAME = 4096;
const TRAILER = 'TRAILER!!!';
const CONTENT_LIMIT = 1024 * 1024;
/**
 * Padding is compared in steps of this size. Larger steps would be joined from pieces repeatedly.
 */
const ZEROS = new Uint8Array(4 * 1024);

/** Every segment of an initrd that is not packed begins with this. */
export const ZERO_DIGIT = 0x30;

/**
 * Yields the members up to something that is neither a member nor zeros (Linux early-userspace
 * §buffer-format). It skips contents, except of members whose path matches `withContent`. Trailers
 * are optional, and members may follow them.
 * @throws {Obstruction} when a member is damaged
 */
export async function* cpioMembers(
  bytes: ForwardBytes,
  withContent?: RegExp,
): AsyncGenerator<Member> {
  for (;;) {
    const next = await skipZeros(bytes);
    if (next === undefined) return;
    if (bytes.position % ALIGNMENT !== 0) {
      throw damaged(`expected zeros up to a multiple of ${ALIGNMENT} bytes, got ${next}`);
    }
    if (next !== ZERO_DIGIT) return;
    const header = parseHeader(await bytes.peek(HEADER_SIZE));
    await bytes.skip(HEADER_SIZE);
    const path = await readName(bytes, header.nameSize);
    if (path === undefined || path === TRAILER) await skip(bytes, header.size);
    else {
      const { mode, size } = header;
      const isWanted = withContent?.test(path) === true;
      const content = isWanted
        ? Uint8Array.from(await bytes.peek(Math.min(size, CONTENT_LIMIT)))
        : undefined;
      await skip(bytes, size);
      yield { path, mode, size, ...(content && { content }) };
    }
    await bytes.skip(paddingAfter(header.size));
  }
}

/** Moves to the first byte that is not zero, and returns it. Returns undefined at the end. */
export async function skipZeros(bytes: ForwardBytes): Promise<number | undefined> {
  // Padding is short, or fills the rest of the file.
  for (let ahead = 1; ; ahead = Math.min(ahead * 64, ZEROS.length)) {
    const seen = await bytes.peek(ahead);
    if (seen.length === 0) return undefined;
    if (Buffer.compare(seen, ZEROS.subarray(0, seen.length)) === 0) await bytes.skip(seen.length);
    else {
      const zeros = seen.findIndex((byte) => byte !== 0);
      await bytes.skip(zeros);
      return seen[zeros];
    }
  }
}

function parseHeader(bytes: Uint8Array): Record<'mode' | 'size' | 'nameSize', number> {
  const text = new TextDecoder('latin1').decode(bytes);
  const magic = text.slice(0, MAGIC_SIZE);
  if (!MAGIC.test(magic)) {
    throw damaged(`expected a cpio header of "070701" or "070702", got ${JSON.stringify(magic)}`);
  }
  if (text.length < HEADER_SIZE) throw truncated('a header', HEADER_SIZE);
  const field = (name: keyof typeof FIELD): number => {
    const digits = text.slice(MAGIC_SIZE + FIELD[name] * FIELD_SIZE).slice(0, FIELD_SIZE);
    if (/^[0-9a-f]{8}$/i.test(digits)) return Number.parseInt(digits, 16);
    throw damaged(`expected ${FIELD_SIZE} hexadecimal digits, got ${JSON.stringify(digits)}`);
  };
  return { mode: field('mode'), size: field('size'), nameSize: field('nameSize') };
}

/** Returns the name behind a header, or undefined when the kernel ignores the member. */
async function readName(bytes: ForwardBytes, size: number): Promise<string | undefined> {
  const padded = size + paddingAfter(HEADER_SIZE + size);
  if (size === 0 || size > MAX_NAME) {
    await skip(bytes, padded);
    return undefined;
  }
  const name = await bytes.peek(size);
  if (name.length < size) throw truncated('a name', size);
  if (name[size - 1] !== 0) throw damaged('expected a name that ends with NUL, got one without');
  const path = new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
  await skip(bytes, padded);
  return path;
}

async function skip(bytes: ForwardBytes, length: number): Promise<void> {
  if (!(await bytes.skip(length))) throw truncated('a member', length);
}

function truncated(what: string, length: number): Error {
  return damaged(`expected ${length} bytes of ${what}, got the end`);
}

function paddingAfter(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}
