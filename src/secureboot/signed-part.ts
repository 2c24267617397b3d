/** The part of an X.509 certificate that its issuer signed, by whose digest dbx names certificates (RFC 5280 §4.1). */

const SEQUENCE = 0x30;
/** Tag and the longest form of a length that a certificate needs: bytes. */
const MAX_LENGTH_BYTES = 4;

/** Returns the TBSCertificate of a certificate in DER, tag and length included, or undefined when there is none. */
export function signedPart(certificate: Uint8Array): Uint8Array | undefined {
  const outer = sequenceAt(certificate, 0);
  if (outer === undefined || outer.end !== certificate.length) return undefined;
  const part = sequenceAt(certificate, outer.start);
  return part && part.end <= outer.end ? certificate.subarray(outer.start, part.end) : undefined;
}

/** Where the content of the SEQUENCE at an offset starts and ends. */
function sequenceAt(bytes: Uint8Array, at: number): { start: number; end: number } | undefined {
  const first = bytes[at + 1];
  if (bytes[at] !== SEQUENCE || first === undefined || first === 0x80) return undefined;
  const width = first < 0x80 ? 0 : first & 0x7f;
  const start = at + 2 + width;
  if (width > MAX_LENGTH_BYTES || start > bytes.length) return undefined;
  const long = bytes.subarray(at + 2, start).reduce((sum, byte) => sum * 256 + byte, 0);
  return { start, end: start + (width === 0 ? first : long) };
}
