/** The CheckSum field of an image: a 16-bit ones' complement sum of the file, plus its length. */

/** A sum over a file's bytes in order. The CheckSum field itself must be fed as zero. */
export interface Checksum {
  update(bytes: Uint8Array): void;
  /** Returns the value of the CheckSum field for a file of this many bytes. */
  finish(fileSize: number): number;
}

/** Words added before the sum is folded: half words of 2^14 of them stay below 2^31 in each sum. */
const BLOCK = 2 ** 14;

/** Returns an empty sum (PE/COFF §Optional Header Windows-Specific Fields, CheckSum). */
export function createChecksum(): Checksum {
  let position = 0;
  let sum = 0;
  return {
    update(bytes) {
      const part = sumBytes(bytes);
      // A ones' complement sum does not mind byte order: at an odd position its bytes swap.
      sum = fold(sum + (position % 2 === 0 ? part : swap(part)));
      position += bytes.length;
    },
    finish: (fileSize) => sum + fileSize,
  };
}

/** The sum of little-endian words, 32 bits at a time where memory is aligned for that. */
function sumBytes(bytes: Uint8Array): number {
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

/** Four running sums, because one would wait for itself at every word; half words, because they stay small integers. */
function addWords(words: Int32Array, start: number, end: number): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const [w, x, y, z] = [
      words[at] ?? 0,
      words[at + 1] ?? 0,
      words[at + 2] ?? 0,
      words[at + 3] ?? 0,
    ];
    a = (a + (w & 0xffff) + (x & 0xffff)) | 0;
    b = (b + (w >>> 16) + (x >>> 16)) | 0;
    c = (c + (y & 0xffff) + (z & 0xffff)) | 0;
    d = (d + (y >>> 16) + (z >>> 16)) | 0;
  }
  for (; at < end; at++) a += ((words[at] ?? 0) & 0xffff) + ((words[at] ?? 0) >>> 16);
  return a + b + c + d;
}

/** At most three bytes each: what lies before and after the aligned words. */
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
