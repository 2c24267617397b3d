/** The signer whose private key is elsewhere: in a token, in a TPM or on another machine, behind a command. */
import { spawnSync } from 'node:child_process';
import { constants, type KeyObject, publicDecrypt } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { certificateSigner } from './certificate-signer.ts';
import { type SignDigest, sha256Algorithm } from './cms.ts';
import { octets, sameBytes, sequence } from './der.ts';
import {
  dateWarnings,
  type LoadedSigner,
  loadCertificate,
  requireFile,
  requireRsa,
} from './pem.ts';

/** A certificate in PEM, by its absolute path, and what signs for it: a program and its arguments. */
export interface SigningCommand {
  readonly certificate: string;
  readonly command: readonly string[];
}

/** Long enough for a person to find a token and touch it: milliseconds. */
const TIMEOUT = 120_000;
/** Several times the largest signature: bytes. */
const MAX_OUTPUT = 65_536;

/**
 * Loads a signer from a certificate and a command. The command gets a SHA-256 digest of 32 bytes on
 * its stdin and answers on its stdout with the RSA signature of it (PKCS#1 v1.5), as
 * `openssl pkeyutl -sign -pkeyopt digest:sha256` does. It is not run before there is something to
 * sign: whoever holds the key may have to be asked.
 * @param now seconds since the epoch; a certificate outside of its dates is a warning, no error
 * @throws {KEY_INVALID} when there is no certificate in the file, or its key is not RSA
 */
export function loadCommandSigner(
  { certificate: path, command }: SigningCommand,
  disk: Disk,
  now: number,
): LoadedSigner {
  requireFile('certificate', path, disk);
  const certificate = loadCertificate(path, disk);
  requireRsa(`certificate ${path}`, certificate.publicKey);
  return {
    signer: certificateSigner(certificate, signBy(command, certificate.publicKey)),
    warnings: dateWarnings(path, certificate, now),
  };
}

function signBy(command: readonly string[], publicKey: KeyObject): SignDigest {
  const [program = '', ...args] = command;
  return (digest) => {
    const { status, signal, stdout, error } = spawnSync(program, args, {
      input: digest,
      // What asks for a PIN or a touch speaks to the person at the terminal.
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: TIMEOUT,
      maxBuffer: MAX_OUTPUT,
    });
    // One that does not read its stdin is an error of the pipe, whatever else it does: the answer tells.
    if (status !== 0) {
      const ended = status === null && signal === null ? '' : `, got ${signal ?? status}`;
      throw new EspError('SIGNER_FAILED', `signing command ${program}: expected status 0${ended}`, {
        cause: status === null ? error : undefined,
      });
    }
    if (isSignature(stdout, digest, publicKey)) return stdout;
    throw new EspError(
      'SIGNER_FAILED',
      `signing command ${program}: expected an RSA signature of the digest for the certificate, got ${stdout.length} bytes that are none`,
      { hint: 'let it sign the 32 bytes on its stdin as they are, as a SHA-256 digest' },
    );
  };
}

/** What is signed says of itself that it is a SHA-256 digest (RFC 8017 §9.2). */
function isSignature(signature: Uint8Array, digest: Uint8Array, key: KeyObject): boolean {
  try {
    const signed = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    return sameBytes(signed, sequence(sha256Algorithm, octets(digest)));
  } catch {
    // Not of this key, or of no key at all: the library has only errors to say so.
    return false;
  }
}
