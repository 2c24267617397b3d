/** EFI signature lists, the content of PK, KEK, db, dbx and of `.esl` files (UEFI §32.4.1). */
import { EspError } from '../error.ts';
import { formatGuid, GUID_SIZE, type Guid, guidBytes } from '../guid.ts';

/** One entry of a list: its type, its owner and its data. */
export interface Signature {
  readonly type: Guid;
  readonly owner: Guid;
  readonly data: Uint8Array;
}

/** The type of an X.509 certificate in DER. */
export const X509 = 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072' as Guid;

const HEADER = { type: 0, listSize: 16, headerSize: 20, signatureSize: 24, end: 28 } as const;

/** Returns one list for each signature, in order: all entries of a list must have one size. */
export function formatSignatureLists(signatures: readonly Signature[]): Uint8Array {
  const size = ({ data }: Signature) => HEADER.end + GUID_SIZE + data.length;
  const bytes = new Uint8Array(signatures.reduce((sum, each) => sum + size(each), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const signature of signatures) {
    bytes.set(guidBytes(signature.type), at + HEADER.type);
    view.setUint32(at + HEADER.listSize, size(signature), true);
    view.setUint32(at + HEADER.signatureSize, size(signature) - HEADER.end, true);
    bytes.set(guidBytes(signature.owner), at + HEADER.end);
    bytes.set(signature.data, at + HEADER.end + GUID_SIZE);
    at += size(signature);
  }
  return bytes;
}

/**
 * Returns the signatures in consecutive lists, in order. Their data are views into the bytes.
 * @throws {SIGNATURE_MALFORMED} when a list does not fit, or its entries are not whole
 */
export function parseSignatureLists(bytes: Uint8Array): readonly Signature[] {
  const signatures: Signature[] = [];
  for (let at = 0; at < bytes.length; ) {
    const list = listAt(bytes, at);
    const type = formatGuid(list.subarray(HEADER.type));
    const view = new DataView(list.buffer, list.byteOffset, list.length);
    const first = HEADER.end + view.getUint32(HEADER.headerSize, true);
    const size = view.getUint32(HEADER.signatureSize, true);
    if (size <= GUID_SIZE || first > list.length || (list.length - first) % size !== 0) {
      const got = `${list.length - first} bytes in pieces of ${size}`;
      throw malformed(at, `whole signatures of more than ${GUID_SIZE} bytes`, got);
    }
    for (let from = first; from < list.length; from += size) {
      const owner = formatGuid(list.subarray(from));
      signatures.push({ type, owner, data: list.subarray(from + GUID_SIZE, from + size) });
    }
    at += list.length;
  }
  return signatures;
}

function listAt(bytes: Uint8Array, at: number): Uint8Array {
  const left = bytes.length - at;
  if (left < HEADER.end) throw malformed(at, `a list of at least ${HEADER.end} bytes`, left);
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, left);
  const size = view.getUint32(HEADER.listSize, true);
  if (size < HEADER.end || size > left) {
    throw malformed(at, `a list of ${HEADER.end} to ${left} bytes`, size);
  }
  return bytes.subarray(at, at + size);
}

function malformed(offset: number, expected: string, got: number | string): EspError {
  return new EspError(
    'SIGNATURE_MALFORMED',
    `signature list at offset ${offset}: expected ${expected}, got ${got}`,
  );
}
