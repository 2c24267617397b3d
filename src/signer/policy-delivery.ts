/** Signatures of policies that another machine made before. */
import { digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { SignDigests } from './certificate-signer.ts';
import { sha256 } from './cms.ts';
import { readPolicySignatures } from './policy-document.ts';
import type { PolicyPublicKey } from './policy-key.ts';

/** Returns the signature of what a key signs, unchecked; undefined where there is none. */
export type Delivered = (bytes: Uint8Array) => Uint8Array | undefined;

/**
 * Loads the answer of another machine.
 * @throws {KEY_INVALID} when the file is none, or is for another key
 */
export function loadDelivered(path: string, known: PolicyPublicKey, disk: Disk): Delivered {
  const { key, signatures } = readPolicySignatures(path, disk);
  if (key !== known.fingerprint) {
    throw new EspError(
      'KEY_INVALID',
      `${path}: expected signatures of key ${known.fingerprint}, got some of ${key}`,
      { hint: 'sign with the key that --pcr-public-key belongs to' },
    );
  }
  const delivered = new Map<string, Uint8Array>(
    signatures.map(({ digest, signature }) => [digest, Buffer.from(signature, 'base64')]),
  );
  return (bytes) => delivered.get(digestOf(sha256(bytes)));
}

/** Returns what refuses to sign: what is asked of it has no valid signature in the answer. */
export function notDelivered(path: string): SignDigests {
  return ([first]) => {
    const because = 'there is none for it as it is now, or it is not of the key';
    throw new EspError(
      'SIGNATURE_MISSING',
      `${path}: signature of the ${first?.name}: ${because}`,
      {
        hint: 'ask for it again with espalier plan --signing-request, with the same settings',
      },
    );
  };
}
