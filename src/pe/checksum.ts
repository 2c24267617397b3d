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

/**
 * Words that are added before the sum is folded. Half words of 2^14 words stay below 2^31 in each
 * sum.
 */
const BLOCK = 2 ** 14;

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

/** Sums little-endian words, 32 bits at a time where memory is aligned for that. */
function sumWords(bytes: Uint8Array): number {
  const head = -bytes.byteOffset & 3;
  if (bytes.length < head) return fold(addBytes(bytes, 0, bytes.length));
  const count = (bytes.length - head) >>> 2;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + head, count);
  let middle = 0;
  for (let start = 0; start < count; start += BLOCK)
    middle = fold(middle + addWords(words, start, Math.min(start + BLOCK, count)));
  const ends = addBytes(bytes, 0, head) + addBytes(bytes, head + 4 * count, bytes.length);
  return fold((head % 2 === 0 ? middle : swap(middle)) + ends);
}

/**
 * Uses four sums, since one would wait for itself at every word; half words, since those stay small
 * integers.
 */
function addWords(words: Int32Array, start: number, end: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let at = start;
  for (; at + 4 <= end; at += 4) {
    // One element at a time: in code that is not compiled, destructuring costs more than all the
    // rest.
    const w = words[at] ?? 0;
    const x = words[at + 1] ?? 0;
    const y = words[at + 2] ?? 0;
    const z = words[at + 3] ?? 0;
    a = (a + (w & 0xffff) + (x & 0xffff)) | 0;
    b = (b + (w >>> 16) + (x >>> 16)) | 0;
    c = (c + (y & 0xffff) + (z & 0xffff)) | 0;
    d = (d + (y >>> 16) + (z >>> 16)) | 0;
  }
  for (; at < end; at++) a += ((words[at] ?? 0) & 0xffff) + ((words[at] ?? 0) >>> 16);
  return a + b + c + d;
}

/** Adds at most three bytes before and three after the aligned words. */
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
