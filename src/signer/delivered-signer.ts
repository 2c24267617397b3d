/** A signer whose key is on another machine: it uses signatures that were made there before. */
import type { X509Certificate } from 'node:crypto';
import { digestOf, hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { certificateIdentity, type DigestToSign, remoteSigner } from './certificate-signer.ts';
import {
  dateWarnings,
  type LoadedSigner,
  loadCertificate,
  requireFile,
  requireRsa,
} from './pem.ts';
import { isSignature } from './pkcs1.ts';
import type { ToSign } from './signer.ts';
import { readSignatures } from './signing-document.ts';

/** The absolute paths of a certificate in PEM and of a document with signatures. */
export interface Delivery {
  readonly certificate: string;
  readonly signatures: string;
}

/**
 * Loads a signer from a certificate and the signatures that answer a request. Its `prepare` throws
 * SIGNATURE_MISSING for a program without a signature.
 * @param now seconds since the epoch; a certificate outside its dates is a warning, no error
 * @throws {KEY_INVALID} when a file is malformed, or when the signatures are for another
 * certificate
 */
export function loadDeliveredSigner(
  { certificate: path, signatures: file }: Delivery,
  disk: Disk,
  now: number,
): LoadedSigner {
  const certificate = loadRsaCertificate(path, disk);
  const { certificate: signedFor, signatures } = readSignatures(file, disk);
  const fingerprint = hash(Uint8Array.from(certificate.raw));
  if (signedFor !== fingerprint) {
    throw new EspError(
      'KEY_INVALID',
      `${file}: expected signatures for certificate ${path} (${fingerprint}), got some for ${signedFor}`,
      { hint: 'sign with the key of this certificate' },
    );
  }
  const delivered = new Map<string, Uint8Array>(
    signatures.map((each) => [each.digest, Buffer.from(each.signature, 'base64')]),
  );
  const signatureOf = ({ name, digest }: DigestToSign): Uint8Array => {
    const signature = delivered.get(digestOf(digest));
    if (signature === undefined) throw missing(file, name, 'there is none for it as it is now');
    if (isSignature(signature, digest, certificate.publicKey)) return signature;
    throw missing(file, name, 'it is not of the key of the certificate, or not of this program');
  };
  const signer = remoteSigner(certificate, (digests) => digests.map(signatureOf));
  return {
    // A likely program may never be wanted, so the request need not have named it.
    signer: { ...signer, prepare: (programs) => signer.prepare?.(programs) },
    warnings: dateWarnings(path, certificate, now),
  };
}

function missing(file: string, name: string, because: string): EspError {
  return new EspError('SIGNATURE_MISSING', `${file}: signature of ${name}: ${because}`, {
    hint: 'ask for it again with espalier plan --signing-request, with the same settings',
  });
}

/** A signer that records digests, and the kernels it was asked to sign before there is a plan. */
export interface Asking extends LoadedSigner {
  readonly asked: readonly ToSign[];
}

/**
 * Loads a signer that cannot sign. It records what has to be signed.
 * @throws {KEY_INVALID} when there is no certificate in the file, or its key is not RSA
 */
export function loadAskingSigner(path: string, disk: Disk, now: number): Asking {
  const certificate = loadRsaCertificate(path, disk);
  const asked: ToSign[] = [];
  const signer = {
    ...certificateIdentity(certificate),
    onlyAsks: true,
    prepare: (programs: readonly ToSign[]) => void asked.push(...programs),
    sign: () => {
      throw new EspError('SIGNER_FAILED', `certificate ${path}: there is no key to sign with`);
    },
  } as const;
  return { signer, warnings: dateWarnings(path, certificate, now), asked };
}

function loadRsaCertificate(path: string, disk: Disk): X509Certificate {
  requireFile('certificate', path, disk);
  const certificate = loadCertificate(path, disk);
  requireRsa(`certificate ${path}`, certificate.publicKey);
  return certificate;
}
