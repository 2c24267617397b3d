/** The key that signs policies for PCR 11, and its public half. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { type Digest, hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { SignDigests } from './certificate-signer.ts';
import { sha256, signed } from './cms.ts';
import { type Owner, requireSafeKey } from './key-safety.ts';
import { loadPrivateKey, requireFile, requireRsa } from './pem.ts';
import { isSignature } from './pkcs1.ts';
import { publicKeyPem } from './public-key.ts';

/** The public half of a key for policies. */
export interface PolicyPublicKey {
  /** In PEM, as it goes into `.pcrpkey`. */
  readonly pem: Uint8Array;
  /** SHA-256 of its PKCS#1 form, by which systemd finds a policy of it. */
  readonly fingerprint: Digest;
  /** In bytes: that of every signature. */
  readonly signatureSize: number;
  readonly key: KeyObject;
  /** Whether a signature is one of these bytes (PKCS#1 v1.5 with SHA-256). */
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

/** Bytes that a key for policies signs, and what they are, in errors. */
export interface PolicyToSign {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A key for policies that signs. */
export interface PolicySigner extends PolicyPublicKey {
  /**
   * Returns a signature of each, in the same order (PKCS#1 v1.5 with SHA-256).
   * @throws {SIGNER_FAILED} {SIGNATURE_MISSING}
   */
  sign(policies: readonly PolicyToSign[]): readonly Uint8Array[];
}

/** The absolute paths of a key, and of its public half or a certificate with it where one is named. */
export interface PolicyKeyFiles {
  readonly privateKey: string;
  readonly publicKey?: string | undefined;
  readonly allowInsecureKey: boolean;
}

/** In bytes. A key or a certificate takes far less. */
const MAX_FILE = 262_144;

/**
 * Loads the public half of a key for policies from PEM: a public key, or a certificate with it.
 * @throws {KEY_INVALID}
 */
export function loadPolicyPublicKey(path: string, disk: Disk): PolicyPublicKey {
  requireFile('public key', path, disk);
  const what = `public key ${path}`;
  const pem = publicKeyPem(disk.read(path, MAX_FILE), what);
  return policyPublicKey(createPublicKey(Buffer.from(pem)), pem, what);
}

/**
 * Loads a key for policies. What it signs is never secret, so one key may sign for many machines.
 * @throws {KEY_INVALID} when a file is malformed, or the two do not belong together
 * @throws {KEY_INSECURE} when others can read or replace the key, unless that is allowed
 */
export function loadPolicyKey(
  { privateKey: path, publicKey: publicPath, allowInsecureKey }: PolicyKeyFiles,
  owner: Owner,
  disk: Disk,
): PolicySigner {
  requireFile('private key', path, disk);
  if (!allowInsecureKey) requireSafeKey(path, owner, disk);
  const key = loadPrivateKey(path, disk);
  const derived = createPublicKey(key);
  const own = policyPublicKey(derived, spki(derived), `private key ${path}`);
  const named = publicPath === undefined ? own : loadPolicyPublicKey(publicPath, disk);
  if (named.fingerprint !== own.fingerprint) {
    throw new EspError('KEY_INVALID', `private key ${path}: it is not the key of ${publicPath}`, {
      hint: 'give the two files that were made together',
    });
  }
  return { ...named, sign: (policies) => policies.map(({ bytes }) => signed(bytes, key)) };
}

/** Returns a signer of policies whose private key is elsewhere. Nothing is asked for nothing. */
export function remotePolicySigner(
  publicKey: PolicyPublicKey,
  signDigests: SignDigests,
): PolicySigner {
  return {
    ...publicKey,
    sign: (policies) =>
      policies.length === 0
        ? []
        : signDigests(policies.map(({ name, bytes }) => ({ name, digest: sha256(bytes) }))),
  };
}

function policyPublicKey(key: KeyObject, pem: Uint8Array, what: string): PolicyPublicKey {
  requireRsa(what, key);
  return {
    pem,
    key,
    fingerprint: hash(Uint8Array.from(key.export({ type: 'pkcs1', format: 'der' }))),
    signatureSize: (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8,
    verify: (bytes, signature) => isSignature(signature, sha256(bytes), key),
  };
}

function spki(key: KeyObject): Uint8Array {
  return new TextEncoder().encode(key.export({ type: 'spki', format: 'pem' }).toString());
}
