/** The certificates of Microsoft that a person supplies as files: each is checked to be what it is taken for. */
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

/** A certificate of Microsoft, and the variable that it is for. */
export interface MicrosoftCertificate {
  readonly variable: KeyVariable;
  readonly signature: Signature;
  /** Whether option ROMs are signed by it. */
  readonly signsOptionRoms: boolean;
}

/** Far more than a certificate takes: bytes. */
const MAX_FILE = 65_536;
/** Deep enough for the way they are published: `db` and `KEK`, each with a directory of its own. */
const MAX_DEPTH = 3;
const CERTIFICATE_FILE = /\.(der|cer|crt|pem)$/i;

/**
 * Returns the certificates in files, PEM or DER, and in directories of them, each once.
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
