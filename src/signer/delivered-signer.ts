/** The signer whose key is on another machine: it has signatures that were made there before. */
import { digestOf, hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { certificateIdentity, type DigestToSign, remoteSigner } from './certificate-signer.ts';
import {
  type CertificateChain,
  chainWarnings,
  type LoadedSigner,
  loadChain,
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
  const chain = loadRsaChain(path, disk);
  const { certificate, intermediates } = chain;
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
  const signer = remoteSigner(certificate, (digests) => digests.map(signatureOf), intermediates);
  return {
    // A likely program may never be wanted, so the request need not have named it.
    signer: { ...signer, prepare: (programs) => signer.prepare?.(programs) },
    warnings: chainWarnings(path, chain, now),
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
  const chain = loadRsaChain(path, disk);
  const { certificate, intermediates } = chain;
  const asked: ToSign[] = [];
  const signer = {
    ...certificateIdentity(certificate, intermediates),
    onlyAsks: true,
    prepare: (programs: readonly ToSign[]) => void asked.push(...programs),
    sign: () => {
      throw new EspError('SIGNER_FAILED', `certificate ${path}: there is no key to sign with`);
    },
  } as const;
  return { signer, warnings: chainWarnings(path, chain, now), asked };
}

function loadRsaChain(path: string, disk: Disk): CertificateChain {
  requireFile('certificate', path, disk);
  const chain = loadChain(path, disk);
  requireRsa(`certificate ${path}`, chain.certificate.publicKey);
  return chain;
}
