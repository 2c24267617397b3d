/**
 * Computes the CheckSum field of an image: a 16-bit ones' complement sum of the file, plus its
 * length.
 */

/** A sum over a file's bytes in order. The CheckSum field itself must be fed as zero. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  /** Returns the CheckSum field of a file with this many bytes. */
  finish(fileSize: number): number;
}

/** Words that are added before the sum is folded: a double holds the sum of 2^21 words of 32 bits. */
const BLOCK = 2 ** 20;

/** V8 without its compilers (`--jitless`), as our services run it, has no WebAssembly either. */
const IS_COMPILED = 'WebAssembly' in globalThis;

/**
 * Returns an empty sum (PE/COFF §Optional Header Windows-Specific Fields, CheckSum).
 * @param isCompiled whether loops over words are fast here; it does not change the sum
 */
export function createChecksum(isCompiled = IS_COMPILED): Checksum {
  const sumBytes = isCompiled ? sumWords : sumNumbers;
  let position = 0;
  let sum = 0;
  return {
    update(bytes) {
      const part = sumBytes(bytes);
      // In a ones' complement sum, a part at an odd position has its two bytes swapped.
      sum = fold(sum + (position % 2 === 0 ? part : swap(part)));
      position += bytes.length;
    },
    finish: (fileSize) => sum + fileSize,
  };
}

/** Bytes in one number. Dividing a larger one takes longer than the fewer calls save. */
const NUMBER = 2 ** 13;

/**
 * Sums little-endian words by native code alone. Modulo 2^16 - 1, a number is the ones' complement
 * sum of its digits to the base 2^16. Its digits have the larger byte first.
 */
function sumNumbers(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += NUMBER) {
    const part = bytes.subarray(at, at + NUMBER);
    const digits = Buffer.from(part.buffer, part.byteOffset, part.length).toString('hex');
    const number = BigInt(`0x${digits}${part.length % 2 === 0 ? '' : '00'}`);
    const remainder = Number(number % 0xffffn);
    // A remainder of zero means 2^16 - 1, unless all bytes are zeros.
    sum = fold(sum + (remainder === 0 && number > 0n ? 0xffff : remainder));
  }
  return swap(sum);
}

/** Words that are added in one step, each to a sum of its own: one sum would wait for itself. */
const STEP = 4;

/**
 * Sums little-endian words, 32 bits at a time where memory is aligned for that: 2^16 is 1 modulo
 * 2^16 - 1, so a word of 32 bits counts as its two halves.
 */
function sumWords(bytes: Uint8Array): number {
  const head = -bytes.byteOffset & 3;
  if (bytes.length < head) return fold(addBytes(bytes, 0, bytes.length));
  const count = Math.floor((bytes.length - head) / (4 * STEP)) * STEP;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset + head, count);
  let middle = 0;
  for (let start = 0; start < count; start += BLOCK)
    middle = fold(middle + addWords(words, start, Math.min(start + BLOCK, count)));
  const ends = addBytes(bytes, 0, head) + addBytes(bytes, head + 4 * count, bytes.length);
  return fold((head % 2 === 0 ? middle : swap(middle)) + ends);
}

/**
 * Adds whole steps. One simple loop and plain variables: with anything else here, V8 takes three times
 * as long until it has fast code.
 */
function addWords(words: Uint32Array, start: number, end: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let at = start; at + STEP <= end; at += STEP) {
    a += words[at] ?? 0;
    b += words[at + 1] ?? 0;
    c += words[at + 2] ?? 0;
    d += words[at + 3] ?? 0;
  }
  return a + b + c + d;
}

/** Adds at most three bytes before and a few after the words. */
function addBytes(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum += (bytes[at] ?? 0) << (at % 2 === 0 ? 0 : 8);
  return sum;
}

/** Adds the carries back in until the sum has 16 bits. */
function fold(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return folded;
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
