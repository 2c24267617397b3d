/** Converts UUIDs between text and sixteen bytes in the order of the text (RFC 9562 §4). */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Returns the bytes of a UUID's text, or undefined when the text is no UUID. */
export function parseUuid(text: string): Uint8Array | undefined {
  return TEXT.test(text) ? hexToBytes(text.replaceAll('-', '')) : undefined;
}

/** Returns the text of sixteen bytes, in lower case. */
export function formatUuid(bytes: Uint8Array): string {
  return bytesToHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * Returns the version 4 UUID made of the first sixteen bytes, with version and variant bits set.
 */
export function uuidFrom(bytes: Uint8Array): Uint8Array {
  const uuid = Uint8Array.from(bytes.subarray(0, 16));
  uuid[6] = ((uuid[6] ?? 0) & 0x0f) | 0x40;
  uuid[8] = ((uuid[8] ?? 0) & 0x3f) | 0x80;
  return uuid;
}
