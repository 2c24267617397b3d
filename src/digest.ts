/** SHA-256 digests of bytes in memory, and the base32 form that file names on the ESP carry. */
import { sha256 } from '@noble/hashes/sha2.js';
import { hexToBytes } from '@noble/hashes/utils.js';

declare const brand: unique symbol;

/** A SHA-256 digest as 64 lower-case hexadecimal digits. */
export type Digest = string & { readonly [brand]: 'Digest' };

/** Digests of short contents, by the content: what is wanted is mostly what is there. */
const short = new Map<string, Digest>();
/** Bytes of a content, and how many of them. */
const SHORT = { size: 1024, count: 512 };

/** Returns the digest of bytes or of UTF-8 text in memory. */
export function hash(content: Uint8Array | string): Digest {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  if (bytes.length > SHORT.size) return digestOf(sha256(bytes));
  const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const known = short.get(key);
  if (known !== undefined) return known;
  if (short.size === SHORT.count) short.clear();
  const digest = digestOf(sha256(bytes));
  short.set(key, digest);
  return digest;
}

/** Returns 32 raw digest bytes as a {@link Digest}. */
export function digestOf(bytes: Uint8Array): Digest {
  if (bytes.length !== 32) throw new RangeError(`"bytes" expected 32 bytes, got ${bytes.length}`);
  // In one piece: what is joined from pieces takes a kilobyte for as long as it lives.
  return Buffer.from(bytes).toString('hex') as Digest;
}

/** Returns the 32 raw bytes of a digest. */
export function digestBytes(digest: Digest): Uint8Array {
  return hexToBytes(digest);
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Returns a digest as 52 characters of lower-case, unpadded base32 (RFC 4648 §6). */
export function base32(digest: Digest): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of digestBytes(digest)) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET.charAt((value >>> bits) & 31);
      value &= (1 << bits) - 1;
    }
  }
  return bits === 0 ? text : text + ALPHABET.charAt((value << (5 - bits)) & 31);
}

/** Returns the digest that 52 characters of base32 name, or undefined when the text is no digest. */
export function parseBase32(text: string): Digest | undefined {
  if (!/^[a-z2-7]{51}[aq]$/.test(text)) return undefined;
  const bytes = new Uint8Array(32);
  let bits = 0;
  let value = 0;
  let at = 0;
  for (const character of text) {
    value = (value << 5) | ALPHABET.indexOf(character);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = value >>> bits;
      value &= (1 << bits) - 1;
    }
  }
  return digestOf(bytes);
}
