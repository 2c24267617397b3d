/**
 * Unpacks LZ4 in the legacy frame, the only one that the kernel accepts (LZ4 frame format §Legacy
 * frame).
 */
import type { ByteSource } from '../byte-source.ts';
import type { Unpacked } from './forward-bytes.ts';
import { damaged } from './obstacle.ts';
import { readAll, readNumber } from './pieces.ts';

const MAGIC = 0x184c2102;
const SIZE_SIZE = 4;
const BLOCK_SIZE = 8 * 1024 * 1024;
/** In bytes. A block of random bytes grows to this size. */
const MAX_PACKED = BLOCK_SIZE + Math.floor(BLOCK_SIZE / 255) + 16;
const MIN_MATCH = 4;
/** In a token: more bytes of the length follow. */
const MORE = 15;

/** Unpacks the blocks at an offset. Zeros or the end of the file end them. @throws {Obstruction} */
export async function* unlz4(source: ByteSource, offset: number): Unpacked {
  let at = offset;
  let memory: Uint8Array | undefined;
  while (source.size - at >= SIZE_SIZE) {
    const size = readNumber(source, at, SIZE_SIZE);
    if (size === 0) break;
    at += SIZE_SIZE;
    if (size === MAGIC) continue;
    if (size > MAX_PACKED) {
      throw damaged(`expected a block of at most ${MAX_PACKED} bytes at byte ${at}, got ${size}`);
    }
    memory ??= new Uint8Array(BLOCK_SIZE);
    yield memory.subarray(0, unpackBlock(readAll(source, at, size), memory));
    at += size;
  }
  return at;
}

/**
 * Unpacks a block into memory and returns its unpacked size in bytes (LZ4 block format).
 * @throws {Obstruction}
 */
function unpackBlock(packed: Uint8Array, memory: Uint8Array): number {
  let from = 0;
  let to = 0;
  const byte = (): number => {
    const value = packed[from++];
    if (value === undefined) throw damaged('expected more of a block, got its end');
    return value;
  };
  const longer = (short: number): number => {
    let length = short;
    for (let more = 255; more === 255; length += more) more = byte();
    return length;
  };
  const requireRoom = (length: number): void => {
    if (to + length > memory.length) {
      throw damaged(`expected a block to unpack to at most ${memory.length} bytes, got more`);
    }
  };
  for (;;) {
    const token = byte();
    const literals = token >> 4 === MORE ? longer(MORE) : token >> 4;
    requireRoom(literals);
    if (from + literals > packed.length) throw damaged('expected more of a block, got its end');
    copy(packed, from, memory, to, literals);
    from += literals;
    to += literals;
    // The last sequence has no match.
    if (from === packed.length) return to;
    const distance = byte() + 256 * byte();
    if (distance === 0 || distance > to) {
      throw damaged(`expected a match within ${to} bytes, got one ${distance} bytes back`);
    }
    const short = token & MORE;
    const length = MIN_MATCH + (short === MORE ? longer(MORE) : short);
    requireRoom(length);
    repeat(memory, to, distance, length);
    to += length;
  }
}

/** In bytes. Up to this length, a loop copies faster than a call that copies. */
const FEW = 24;

function copy(
  packed: Uint8Array,
  from: number,
  memory: Uint8Array,
  to: number,
  length: number,
): void {
  if (length > FEW) memory.set(packed.subarray(from, from + length), to);
  else for (let done = 0; done < length; done++) memory[to + done] = packed[from + done] ?? 0;
}

/** Copies bytes from `distance` bytes behind. Copied bytes may be copied again. */
function repeat(memory: Uint8Array, to: number, distance: number, length: number): void {
  const from = to - distance;
  if (length <= FEW) {
    for (let done = 0; done < length; done++) memory[to + done] = memory[from + done] ?? 0;
    return;
  }
  for (let done = 0; done < length; ) {
    const chunk = Math.min(length - done, distance + done);
    memory.copyWithin(to + done, from, from + chunk);
    done += chunk;
  }
}
