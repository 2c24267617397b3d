/** Private keys where everyone would read them. */
import { bytesToHex } from '@noble/hashes/utils.js';

const PRIVATE = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/;

/** PKCS#8, PKCS#1 and SEC1 in DER: a sequence that begins with a small version, and not with a sequence. */
const DER = /^30(?:82....|81..|[0-7].)02010[01](?:30|02|04)/;
/** How many bytes of a file tell whether it is a private key. */
export const TELLING = 4096;

/** Tells whether a text has a private key in PEM in it. */
export function hasPrivateKey(text: string): boolean {
  return PRIVATE.test(text);
}

/**
 * Tells whether a file is a private key: a text with one in PEM, or one in DER. An archive that has a key
 * among its files is none.
 * @param start its first {@link TELLING} bytes, or all of them
 */
export function isPrivateKey(start: Uint8Array): boolean {
  if (!start.includes(0) && hasPrivateKey(new TextDecoder().decode(start))) return true;
  return DER.test(bytesToHex(start.subarray(0, 16)));
}
