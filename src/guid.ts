/** GUIDs as firmware stores them: the first three groups of their text lie in reverse (UEFI appendix A). */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';

declare const brand: unique symbol;

/** A GUID as text in lower case. */
export type Guid = string & { readonly [brand]: 'Guid' };

/** What a GUID takes: bytes. */
export const GUID_SIZE = 16;

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Where each byte of the text lies; the same permutation leads back. */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** Returns the GUID that a text is, in whichever case, or undefined when it is none. */
export function parseGuid(text: string): Guid | undefined {
  const lower = text.toLowerCase();
  return TEXT.test(lower) ? (lower as Guid) : undefined;
}

/** Returns the sixteen bytes of a GUID. */
export function guidBytes(guid: Guid): Uint8Array {
  return reordered(hexToBytes(guid.replaceAll('-', '')));
}

/** Returns the GUID in the first sixteen bytes. */
export function formatGuid(bytes: Uint8Array): Guid {
  const hex = bytesToHex(reordered(bytes));
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') as Guid;
}

function reordered(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(ORDER, (from) => bytes[from] ?? 0);
}
