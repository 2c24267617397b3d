/** What `dbx` forbids: images by digest, certificates by themselves and by the digest of what was signed of them. */
import { sha384, sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { hash } from '../digest.ts';
import type { Guid } from '../guid.ts';
import { parseTime, TIME_SIZE } from './efi-time.ts';
import { parseSignatureLists, type Signature, X509 } from './signature-list.ts';
import { signedPart } from './signed-part.ts';

/** The algorithms whose digests firmware knows. */
export type DigestName = 'sha256' | 'sha384' | 'sha512';

/** What dbx holds, ready to be asked. */
export interface Forbidden {
  /** Certificates in DER: nothing that they signed or issued starts. */
  readonly certificates: readonly Uint8Array[];
  /** Digests of images, as `sha256:<hexadecimal>`. */
  readonly images: ReadonlySet<string>;
  /** Digests of the signed part of certificates, in the same form, each with the time (seconds since the epoch) from which it counts; 0 is always. */
  readonly signedParts: ReadonlyMap<string, number>;
}

/** Why firmware refuses a certificate. */
export interface Ban {
  readonly by: 'certificate' | 'digest of the certificate';
  /**
   * Seconds since the epoch: firmware still takes what carries a trusted time stamp from before.
   * Without it nothing that the certificate signed starts.
   */
  readonly since?: number;
}

/** The time of an entry that counts whenever a program was signed. */
const ALWAYS = 0;

/** The type of an entry that is the SHA-256 digest of an image. */
export const IMAGE_SHA256 = 'c1c41626-504c-4092-aca9-41f936934328' as Guid;

/** The types of entries that are digests of images (UEFI §32.4.1). */
const IMAGE_DIGESTS: Readonly<Record<string, { name: DigestName; size: number }>> = {
  [IMAGE_SHA256]: { name: 'sha256', size: 32 },
  'ff3e5307-9fd0-48c9-85f1-8ad56c701e01': { name: 'sha384', size: 48 },
  '093e0fae-a6c4-4f50-9f1b-d41e2b89c19a': { name: 'sha512', size: 64 },
};

/** The types of entries that are digests of the signed part of a certificate, with a time behind each. */
const CERTIFICATE_DIGESTS: Readonly<Record<string, { name: DigestName; size: number }>> = {
  '3bd2a492-96c0-4079-b420-fcf98ef103ed': { name: 'sha256', size: 32 },
  '7076876e-80c2-4ee6-aad2-28b349a6865b': { name: 'sha384', size: 48 },
  '446dbf63-2502-4cda-bcfa-2465d2b0fe9d': { name: 'sha512', size: 64 },
};

/**
 * Reads the signature lists of dbx. Entries of other types are passed over, as firmware passes over
 * what it does not know.
 * @throws {SIGNATURE_MALFORMED} when they are no signature lists
 */
export function parseForbidden(dbx: Uint8Array): Forbidden {
  const certificates: Uint8Array[] = [];
  const images = new Set<string>();
  const signedParts = new Map<string, number>();
  for (const { type, data } of parseSignatureLists(dbx)) {
    if (type === X509) certificates.push(data);
    const image = IMAGE_DIGESTS[type];
    if (image?.size === data.length) images.add(`${image.name}:${bytesToHex(data)}`);
    const part = CERTIFICATE_DIGESTS[type];
    if (part && data.length === part.size + TIME_SIZE) {
      const key = `${part.name}:${bytesToHex(data.subarray(0, part.size))}`;
      // Of several entries for one certificate the strictest counts.
      const known = signedParts.get(key) ?? Number.POSITIVE_INFINITY;
      signedParts.set(key, Math.min(known, timeAt(data.subarray(part.size))));
    }
  }
  return { certificates, images, signedParts };
}

/** Older digests of images, which firmware takes and nobody here computes: their sizes in bytes. */
const OTHERS: Readonly<Record<string, number>> = {
  '826ca512-cf10-4ac9-b187-be01496631bd': 20,
  '0b6e5233-a65c-44c9-9407-d9ab83bfc8bd': 28,
};

/**
 * Tells whether firmware takes a signature into dbx: of one that it does not know, or that has another size,
 * it refuses the whole write. Whether a certificate can be decoded is the caller's to say.
 */
export function isForDbx({ type, data }: Signature): boolean {
  const part = CERTIFICATE_DIGESTS[type];
  const size = IMAGE_DIGESTS[type]?.size ?? (part && part.size + TIME_SIZE) ?? OTHERS[type];
  return type === X509 || size === data.length;
}

/** A time of zeros, and one that is none, count as always. */
function timeAt(bytes: Uint8Array): number {
  return parseTime(new DataView(bytes.buffer, bytes.byteOffset, bytes.length)) ?? ALWAYS;
}

/** Tells whether dbx names an image by one of its Authenticode digests, given in hexadecimal. */
export function forbidsImage(
  { images }: Forbidden,
  digests: Partial<Readonly<Record<DigestName, string>>>,
): boolean {
  return Object.entries(digests).some(([name, digest]) => images.has(`${name}:${digest}`));
}

/**
 * Returns why firmware refuses what a certificate (DER) signed or issued, or undefined when dbx does
 * not name it. Ask for every certificate of a chain. Whether one in {@link Forbidden.certificates}
 * issued it takes a signature check, which is the caller's.
 */
export function banOf(forbidden: Forbidden, certificate: Uint8Array): Ban | undefined {
  if (forbidden.certificates.some((each) => isSame(each, certificate))) {
    return { by: 'certificate' };
  }
  const part = forbidden.signedParts.size > 0 ? signedPart(certificate) : undefined;
  if (part === undefined) return undefined;
  for (const [name, digest] of DIGESTS) {
    const since = forbidden.signedParts.get(`${name}:${digest(part)}`);
    if (since === undefined) continue;
    return { by: 'digest of the certificate', ...(since === ALWAYS ? {} : { since }) };
  }
  return undefined;
}

const DIGESTS: readonly (readonly [DigestName, (bytes: Uint8Array) => string])[] = [
  ['sha256', hash],
  ['sha384', (bytes) => bytesToHex(sha384(bytes))],
  ['sha512', (bytes) => bytesToHex(sha512(bytes))],
];

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
