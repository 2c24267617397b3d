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
import {
  MICROSOFT,
  MICROSOFT_ORGANISATION,
  microsoftVariable,
  signsOptionRoms,
} from '../secureboot/microsoft.ts';
import { type Signature, X509 } from '../secureboot/signature-list.ts';

/** A certificate of Microsoft, and its variable. */
export interface MicrosoftCertificate {
  readonly variable: KeyVariable;
  readonly signature: Signature;
  /** Whether it signs option ROMs. */
  readonly signsOptionRoms: boolean;
}

/** In bytes. A certificate takes far less. */
const MAX_FILE = 65_536;
/** Microsoft publishes them in `db` and `KEK`, each with further directories. */
const MAX_DEPTH = 3;
const CERTIFICATE_FILE = /\.(der|cer|crt|pem)$/i;

/**
 * Returns the certificates in files (PEM or DER) and in directories of such files, each once.
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
  const read = files.map((path) => readCertificate(path, disk));
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

function readCertificate(path: string, disk: Disk): MicrosoftCertificate {
  const certificate = decode(path, disk.read(path, MAX_FILE));
  const { CN: commonName, O: organisation } = certificate.toLegacyObject().subject;
  const isTheirs = organisation === MICROSOFT_ORGANISATION && typeof commonName === 'string';
  const variable = isTheirs ? microsoftVariable(commonName) : undefined;
  if (!isTheirs || variable === undefined) {
    const subject = certificate.subject.replaceAll('\n', ', ');
    throw invalid(path, `a certificate of ${MICROSOFT_ORGANISATION} for KEK or db`, subject);
  }
  const data = Uint8Array.from(certificate.raw);
  return {
    variable,
    signature: { type: X509, owner: MICROSOFT, data },
    signsOptionRoms: signsOptionRoms(commonName),
  };
}

function decode(path: string, bytes: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw invalid(path, 'a certificate in PEM or DER', 'something else', cause);
  }
}

function invalid(path: string, expected: string, got: string, cause?: unknown): EspError {
  return new EspError('KEY_INVALID', `--microsoft ${path}: expected ${expected}, got ${got}`, {
    hint: 'name the certificates that Microsoft publishes for Secure Boot, as files or directories',
    cause,
  });
}
