/**
 * Authenticated writes of variables, the content of `.auth` files: EFI_VARIABLE_AUTHENTICATION_2
 * (UEFI §8.2.2).
 */
import { EspError } from '../error.ts';
import { formatGuid, GUID_SIZE, type Guid, guidBytes } from '../guid.ts';
import { formatTime, parseTime, TIME_SIZE } from './efi-time.ts';
import { type SignedVariable, vendorOf } from './key-variable.ts';

/** New content of a variable, and the signature for which firmware accepts it. */
export interface AuthenticatedWrite {
  /** Seconds since the epoch. Firmware refuses a write that is not later than the last one. */
  readonly time: number;
  /** DER of the PKCS#7 SignedData over {@link bytesToSign}. */
  readonly signature: Uint8Array;
  readonly content: Uint8Array;
}

/** Non-volatile, visible at boot and at runtime, and changed by signed writes alone. */
const ATTRIBUTES = 0x01 | 0x02 | 0x04 | 0x20;
/** The write appends to the present content (EFI_VARIABLE_APPEND_WRITE). */
const APPEND = 0x40;
const HEADER = {
  length: TIME_SIZE,
  revision: 20,
  certificateType: 22,
  kind: 24,
  signature: 24 + GUID_SIZE,
} as const;
const REVISION_2 = 0x0200;
const CERTIFICATE_GUID = 0x0ef1;
const PKCS7 = '4aafd29d-68df-49ee-8aa9-347d375665a7' as Guid;

/** Whether a write replaces the content of a variable or adds to it. */
export type WriteMode = 'replace' | 'append';

/**
 * Returns the bytes that the signature of a write covers: name, vendor, attributes, time and
 * content.
 */
export function bytesToSign(
  variable: SignedVariable,
  time: number,
  content: Uint8Array,
  mode: WriteMode = 'replace',
): Uint8Array {
  const name = Uint8Array.from([...variable].flatMap((letter) => [letter.charCodeAt(0), 0]));
  const attributes = Uint8Array.of(mode === 'append' ? ATTRIBUTES | APPEND : ATTRIBUTES, 0, 0, 0);
  return joined(name, guidBytes(vendorOf(variable)), attributes, formatTime(time), content);
}

/** Returns the bytes to hand to firmware. */
export function formatAuthenticatedWrite(write: AuthenticatedWrite): Uint8Array {
  const header = new Uint8Array(HEADER.signature);
  const view = new DataView(header.buffer);
  header.set(formatTime(write.time));
  const length = HEADER.signature - HEADER.length + write.signature.length;
  view.setUint32(HEADER.length, length, true);
  view.setUint16(HEADER.revision, REVISION_2, true);
  view.setUint16(HEADER.certificateType, CERTIFICATE_GUID, true);
  header.set(guidBytes(PKCS7), HEADER.kind);
  return joined(header, write.signature, write.content);
}

/**
 * Parses the bytes of a `.auth` file. Signature and content are views into them.
 * @throws {SIGNATURE_MALFORMED} when they are no authenticated write with a PKCS#7 signature
 */
export function parseAuthenticatedWrite(bytes: Uint8Array): AuthenticatedWrite {
  if (bytes.length < HEADER.signature) {
    throw malformed(0, `at least ${HEADER.signature} bytes`, bytes.length);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const time = parseTime(view);
  if (time === undefined) throw malformed(0, 'a time in UTC', 'none');
  const kind = formatGuid(bytes.subarray(HEADER.kind));
  const certificateType = view.getUint16(HEADER.certificateType, true);
  if (certificateType !== CERTIFICATE_GUID || kind !== PKCS7) {
    throw malformed(HEADER.certificateType, `a signature of type ${PKCS7}`, kind);
  }
  const end = HEADER.length + view.getUint32(HEADER.length, true);
  if (end < HEADER.signature || end > bytes.length) {
    throw malformed(HEADER.length, `an end at ${HEADER.signature} to ${bytes.length}`, end);
  }
  return {
    time,
    signature: bytes.subarray(HEADER.signature, end),
    content: bytes.subarray(end),
  };
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function malformed(offset: number, expected: string, got: number | string): EspError {
  return new EspError(
    'SIGNATURE_MALFORMED',
    `authenticated write at offset ${offset}: expected ${expected}, got ${got}`,
  );
}
