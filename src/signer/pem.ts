/**
 * Loads a certificate and a private key from PEM files, and checks everything that can be wrong.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { certificateSigner, certificateVerifier } from './certificate-signer.ts';
import { certificateIn, chainFrom, isIssuedBy } from './chain.ts';
import { insteadOf, uriHint } from './instead.ts';
import { type Owner, requireSafeKey, workTreeWarnings } from './key-safety.ts';
import type { Signer, Verifier } from './signer.ts';

/** The absolute paths of the two files, and whether a key that others can reach is accepted. */
export interface SignerFiles {
  readonly certificate: string;
  readonly privateKey: string;
  readonly allowInsecureKey: boolean;
}

/** A signer that is ready to sign, and warnings about its certificate. */
export interface LoadedSigner {
  readonly signer: Signer;
  readonly warnings: readonly string[];
}

/** In bytes. A chain of certificates or a key takes far less. */
const MAX_FILE = 262_144;
/** In bits. Every firmware verifies 2048; some refuse more than 4096. */
const RSA_SIZES: readonly (number | undefined)[] = [2048, 3072, 4096];

/**
 * Loads a signer from a certificate and a private key, both PEM. Of a file with several certificates
 * the first is the signer's, and those that lead on from it go into every signature. Nothing is written, so that a wrong key never costs a half-done run.
 * @param now seconds since the epoch; a certificate outside of its dates is a warning, no error
 * @throws {KEY_INVALID} when a file is missing, is not PEM, is encrypted, or when the two do not fit
 * @throws {KEY_INSECURE} when others can read or replace the key, unless that is allowed
 */
export function loadSigner(
  files: SignerFiles,
  owner: Owner,
  disk: Disk,
  now: number,
): LoadedSigner {
  const { privateKey, ...chain } = loadChainAndKey(files, owner, disk);
  const signer = certificateSigner(chain.certificate, privateKey, chain.intermediates);
  requireTrial(files.certificate, signer);
  return {
    signer,
    warnings: [
      ...chainWarnings(files.certificate, chain, now),
      ...(files.allowInsecureKey ? [] : workTreeWarnings(files.privateKey, disk)),
    ],
  };
}

/** A certificate and the private key that belongs to it. */
export interface KeyPair {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

/** Loads the two files of {@link loadSigner}, with the same errors. */
export function loadKeyPair(files: SignerFiles, owner: Owner, disk: Disk): KeyPair {
  return loadChainAndKey(files, owner, disk);
}

function loadChainAndKey(files: SignerFiles, owner: Owner, disk: Disk): CertificateChain & KeyPair {
  requireFile('certificate', files.certificate, disk);
  requireFile('private key', files.privateKey, disk);
  const chain = loadChain(files.certificate, disk);
  if (!files.allowInsecureKey) requireSafeKey(files.privateKey, owner, disk);
  const privateKey = loadPrivateKey(files.privateKey, disk);
  if (!chain.certificate.checkPrivateKey(privateKey)) {
    throw otherKey(files, chain.others, privateKey);
  }
  return { ...chain, privateKey };
}

/** Says of a key that does not belong to the first certificate whether it belongs to a later one. */
function otherKey(
  { certificate, privateKey: path }: SignerFiles,
  others: CertificateChain['others'],
  key: KeyObject,
): EspError {
  if (others.some((other) => other.checkPrivateKey(key))) {
    return invalid(
      `certificate ${certificate}: the first certificate in it is not the one of private key ${path}, but a later one is`,
      `${LEAF_FIRST}, and those that issued it behind it`,
    );
  }
  return invalid(
    `private key ${path}: it is not the key of certificate ${certificate}`,
    'give the two files that were made together',
  );
}

const LEAF_FIRST = 'put the certificate of the key first in the file';

/**
 * Signs once for trial, so that a key that cannot sign fails before the run and not in its middle.
 */
function requireTrial(path: string, signer: Signer): void {
  const imageDigest = new Uint8Array(32);
  const signature = signer.sign(imageDigest);
  const verdict = signer.verify(signature === undefined ? [] : [signature], imageDigest);
  if (verdict.kind === 'valid') return;
  throw invalid(
    `certificate ${path}: its trial signature is not valid: ${verdict.because}`,
    'use an X.509 version 3 certificate in plain DER or PEM, as openssl makes it',
  );
}

/**
 * Loads a verifier, which judges signatures by a certificate (PEM).
 * @throws {KEY_INVALID} when there is no certificate in the file
 */
export function loadVerifier(path: string, disk: Disk): Verifier {
  const { certificate, intermediates } = loadChain(path, disk);
  return certificateVerifier(certificate, intermediates);
}

/** The certificates of one PEM file. */
export interface CertificateChain {
  /** The signer's own, which comes first in the file. */
  readonly certificate: X509Certificate;
  /** Those that lead on from it towards a root, the root too where the file has it. */
  readonly intermediates: readonly X509Certificate[];
  /** Every certificate behind the first, as far as it can be decoded. */
  readonly others: readonly X509Certificate[];
  /** How many of the file are neither; no signature carries them. */
  readonly strangers: number;
}

/**
 * Loads all certificates in a PEM file.
 * @throws {KEY_INVALID} when there is none in it, or the first cannot be decoded
 */
export function loadChain(path: string, disk: Disk): CertificateChain {
  const text = readText(path, disk);
  const certificate = firstCertificate(path, text);
  const [, ...blocks] = pemBlocks(text, 'CERTIFICATE');
  const others = blocks.flatMap(certificateIn);
  const [, ...intermediates] = chainFrom(certificate, others);
  const strangers = blocks.length - intermediates.length;
  return { certificate, intermediates, others, strangers };
}

/** Says what a person should know about the certificates of a file. */
export function chainWarnings(
  path: string,
  { certificate, intermediates, others, strangers }: CertificateChain,
  now: number,
): readonly string[] {
  const dates = [certificate, ...intermediates].flatMap((each) => dateWarnings(path, each, now));
  if (strangers === 0) return dates;
  if (others.some((other) => isIssuedBy(other, certificate))) {
    const first = `certificate ${path}: the first certificate in it issued another one of it: ${LEAF_FIRST}`;
    return [...dates, first];
  }
  const word = strangers === 1 ? 'certificate' : 'certificates';
  const left = `certificate ${path}: ${strangers} other ${word} in it did not issue it, and will not be in its signatures`;
  return [...dates, left];
}

/**
 * Loads the first certificate in a PEM file.
 * @throws {KEY_INVALID} when there is none in it
 */
export function loadCertificate(path: string, disk: Disk): X509Certificate {
  return firstCertificate(path, readText(path, disk));
}

function firstCertificate(path: string, text: string): X509Certificate {
  const [block] = pemBlocks(text, 'CERTIFICATE');
  if (block === undefined) {
    const { got, hint } = insteadOf('certificate', path, text);
    throw invalid(`certificate ${path}: expected PEM with a CERTIFICATE in it, got ${got}`, hint);
  }
  try {
    return new X509Certificate(block);
  } catch (cause) {
    throw invalid(
      `certificate ${path}: cannot be decoded`,
      'copy the file again from where it was made',
      cause,
    );
  }
}

/** Loads a private key from PEM. @throws {KEY_INVALID} when it is encrypted, malformed or not RSA */
export function loadPrivateKey(path: string, disk: Disk): KeyObject {
  const text = readText(path, disk);
  if (/^(-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED)/m.test(text)) {
    throw invalid(
      `private key ${path}: it is encrypted, and nobody is there to ask for the passphrase`,
      `decrypt it to a file that only root can read: openssl pkey -in ${path} -out db.key`,
    );
  }
  if (!/^-----BEGIN [A-Z ]*PRIVATE KEY-----/m.test(text)) {
    const { got, hint } = insteadOf('private key', path, text);
    throw invalid(`private key ${path}: expected PEM with a PRIVATE KEY in it, got ${got}`, hint);
  }
  const key = decodePrivateKey(path, text);
  requireRsa(`private key ${path}`, key);
  return key;
}

function decodePrivateKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const hint = text.includes('-----BEGIN OPENSSH ')
      ? `convert it: ssh-keygen -p -m PEM -f ${path}`
      : 'copy the file again from where it was made';
    throw invalid(`private key ${path}: cannot be decoded`, hint, cause);
  }
}

/** @param what names the key in the error @throws {KEY_INVALID} when firmware may not verify its signatures */
export function requireRsa(what: string, key: KeyObject): void {
  const type = key.asymmetricKeyType ?? 'unknown';
  const size = key.asymmetricKeyDetails?.modulusLength;
  if (type === 'rsa' && RSA_SIZES.includes(size)) return;
  throw invalid(
    `${what}: expected RSA with 2048, 3072 or 4096 bits, got ${type}${size === undefined ? '' : ` with ${size} bits`}`,
    'make an RSA key: firmware is only sure to verify RSA, at 2048 bits everywhere',
  );
}

/** @throws {KEY_INVALID} when a path is not absolute or leads to no file */
export function requireFile(what: string, path: string, disk: Disk): void {
  if (!path.startsWith('/')) {
    throw invalid(`${what} ${path}: expected an absolute path`, 'write the path from / on');
  }
  if (disk.stat(path)?.kind === 'file') return;
  const hint = uriHint(path) ?? `correct the path of the ${what} in the settings`;
  throw invalid(`${what} ${path}: expected a file, found none`, hint);
}

function readText(path: string, disk: Disk): string {
  return new TextDecoder().decode(disk.read(path, MAX_FILE));
}

/** Every block with this label, with its lines of armour. */
export function pemBlocks(text: string, label: string): readonly string[] {
  const block = new RegExp(`-----BEGIN ${label}-----[^]*?-----END ${label}-----`, 'g');
  return text.match(block) ?? [];
}

/** Firmware does not look at the dates (UEFI has no clock to trust), but whoever chose them meant something. */
function dateWarnings(path: string, certificate: X509Certificate, now: number): readonly string[] {
  const from = certificate.validFromDate;
  const to = certificate.validToDate;
  const moment = now * 1000;
  if (moment < from.getTime()) {
    return [`certificate ${path}: is valid only from ${day(from)} on; is the clock right?`];
  }
  return moment > to.getTime()
    ? [`certificate ${path}: has expired on ${day(to)}; firmware accepts it still`]
    : [];
}

function day(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unknown day' : date.toISOString().slice(0, 10);
}

function invalid(message: string, hint: string, cause?: unknown): EspError {
  return new EspError('KEY_INVALID', message, { hint, cause });
}
