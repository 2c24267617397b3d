/**
 * Reads Microsoft's certificates from files that a person supplies, and checks that they are
 * Microsoft's.
 */
import { X509Certificate } from 'node:crypto';
import { posix } from 'node:path';
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { KeyVariable } from '../secureboot/key-variable.ts';
import { MICROSOFT, MICROSOFT_ORGANISATION, microsoftVariable } from '../secureboot/microsoft.ts';
import { type Signature, X509 } from '../secureboot/signature-list.ts';
import { pemBlocks } from '../signer/pem.ts';

/** A certificate of Microsoft, and its variable. */
export interface MicrosoftCertificate {
  readonly variable: Exclude<KeyVariable, 'PK'>;
  readonly signature: Signature;
}

/** Far more than the certificates of many vendors take: bytes. */
const MAX_FILE = 1024 * 1024;
const OPTION = '--microsoft';
/** Deep enough for the way they are published: `db` and `KEK`, each with a directory of its own. */
const MAX_DEPTH = 3;
const CERTIFICATE_FILE = /\.(der|cer|crt|pem)$/i;

/**
 * Returns the certificates in files, DER or PEM with one or many, and in directories of them, each once.
 * @throws {KEY_INVALID} when a file is no certificate of Microsoft for KEK or db
 */
export function readMicrosoftCertificates(
  paths: readonly string[],
  disk: Disk,
): readonly MicrosoftCertificate[] {
  const files = paths.flatMap((path) => {
    if (disk.stat(path)?.kind !== 'directory') return [path];
    const found = filesBelow(path, disk, MAX_DEPTH);
    if (found.length === 0) throw invalid(path, 'files *.der, *.cer, *.crt or *.pem', 'none');
    return found;
  });
  const read = files.flatMap((path) =>
    certificatesIn(path, OPTION, disk).map((each) => checked(path, each)),
  );
  return [...new Map(read.map((each) => [hash(each.signature.data), each])).values()];
}

function filesBelow(directory: string, disk: Disk, depth: number): readonly string[] {
  return (disk.list(directory) ?? []).flatMap(({ name }) => {
    const path = posix.join(directory, name);
    const kind = disk.stat(path)?.kind;
    if (kind === 'directory' && depth > 1) return filesBelow(path, disk, depth - 1);
    return kind === 'file' && CERTIFICATE_FILE.test(name) ? [path] : [];
  });
}

function checked(path: string, certificate: X509Certificate): MicrosoftCertificate {
  const { CN: commonName, O: organisation } = certificate.toLegacyObject().subject;
  const isTheirs = organisation === MICROSOFT_ORGANISATION && typeof commonName === 'string';
  const variable = isTheirs ? microsoftVariable(commonName) : undefined;
  if (!isTheirs || variable === undefined) {
    const subject = certificate.subject.replaceAll('\n', ', ');
    throw invalid(path, `a certificate of ${MICROSOFT_ORGANISATION} for KEK or db`, subject);
  }
  const data = Uint8Array.from(certificate.raw);
  return { variable, signature: { type: X509, owner: MICROSOFT, data } };
}

/**
 * Returns every certificate in a file, PEM or DER.
 * @param option what an error calls the file's option
 * @throws {KEY_INVALID} when there is none in it
 */
export function certificatesIn(
  path: string,
  option: string,
  disk: Disk,
): readonly X509Certificate[] {
  const bytes = disk.read(path, MAX_FILE);
  const blocks = pemBlocks(new TextDecoder().decode(bytes), 'CERTIFICATE');
  try {
    return (blocks.length > 0 ? blocks : [bytes]).map((each) => new X509Certificate(each));
  } catch (cause) {
    throw invalid(path, 'certificates in PEM or DER', 'something else', cause, option);
  }
}

/** Tells whether bytes are a certificate in DER. */
export function isCertificate(data: Uint8Array): boolean {
  try {
    return new X509Certificate(data).raw.length === data.length;
  } catch {
    return false;
  }
}

/** Returns the common name of a certificate, or undefined when it has none or cannot be read. */
export function commonNameOf(certificate: X509Certificate | Uint8Array): string | undefined {
  try {
    const decoded =
      certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
    return /^CN=(.*)$/m.exec(decoded.subject ?? '')?.[1];
  } catch {
    return undefined;
  }
}

function invalid(
  path: string,
  expected: string,
  got: string,
  cause?: unknown,
  option = OPTION,
): EspError {
  return new EspError('KEY_INVALID', `${option} ${path}: expected ${expected}, got ${got}`, {
    hint:
      option === OPTION
        ? 'name the certificates that Microsoft publishes for Secure Boot, as files or directories; those of others go with --certificates'
        : 'name a file with certificates in PEM, or one in DER',
    cause,
  });
}
