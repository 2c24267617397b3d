/**
 * The content of a verity signature partition (Discoverable Partitions Specification §Verity
 * signatures).
 */
import { Buffer } from 'node:buffer';
import * as v from 'valibot';
import { parseDocument } from './document.ts';
import { rootHashText } from './root-hash.ts';

/** A root hash with its signature. */
export interface SignatureDocument {
  /** Lower-case hexadecimal. */
  readonly rootHash: string;
  /** SHA-256 of the certificate in DER, in hexadecimal. */
  readonly certificateFingerprint?: string | undefined;
  /** DER of the PKCS#7 signature. */
  readonly signature: Uint8Array;
}

/** In bytes. The size of such a partition is a multiple of this. */
const UNIT = 4096;

/** Returns the document as bytes, with zeros up to a multiple of 4096. */
export function formatSignatureDocument(document: SignatureDocument): Uint8Array {
  const { rootHash, certificateFingerprint, signature } = document;
  const text = JSON.stringify({
    rootHash,
    certificateFingerprint,
    signature: Buffer.from(signature).toString('base64'),
  });
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil(bytes.length / UNIT) * UNIT);
  padded.set(bytes);
  return padded;
}

const schema = v.object({
  rootHash: rootHashText,
  certificateFingerprint: v.optional(
    v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/i, 'expected 64 hexadecimal digits')),
  ),
  signature: v.pipe(
    v.string(),
    v.base64('expected base64'),
    v.transform((text) => Uint8Array.from(Buffer.from(text, 'base64'))),
  ),
});

/**
 * Parses such a document. `name` is the file's name in errors.
 * @throws {VERITY_MALFORMED}
 */
export function parseSignatureDocument(text: string, name: string): SignatureDocument {
  return parseDocument(schema, text, name);
}
