/** The signer whose private key is elsewhere: in a token, in a TPM or on another machine, behind a command. */
import { spawnSync } from 'node:child_process';
import type { KeyObject } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type DigestToSign, remoteSigner, type SignDigests } from './certificate-signer.ts';
import { chainWarnings, type LoadedSigner, loadChain, requireFile, requireRsa } from './pem.ts';
import { isSignature } from './pkcs1.ts';

/** A certificate in PEM, by its absolute path, and what signs for it: a program and its arguments. */
export interface SigningCommand {
  readonly certificate: string;
  readonly command: readonly string[];
  /** Whether one run of the command signs many digests, as lines. */
  readonly batch: boolean;
}

/** Long enough for a person to find a token and touch it: milliseconds for each signature. */
const TIMEOUT = 120_000;
/** Several times the largest signature, as text too: bytes for each. */
const MAX_OUTPUT = 65_536;

/**
 * Loads a signer from a certificate and a command. The command gets a SHA-256 digest of 32 bytes on
 * its stdin and answers on its stdout with the RSA signature of it (PKCS#1 v1.5), as
 * `openssl pkeyutl -sign -pkeyopt digest:sha256` does. One that takes a batch gets each digest as a line
 * of hexadecimal, and answers with as many lines of base64 in the same order. It is not run before there
 * is something to sign: whoever holds the key may have to be asked.
 * @param now seconds since the epoch; a certificate outside of its dates is a warning, no error
 * @throws {KEY_INVALID} when there is no certificate in the file, or its key is not RSA
 */
export function loadCommandSigner(
  { certificate: path, command, batch }: SigningCommand,
  disk: Disk,
  now: number,
): LoadedSigner {
  requireFile('certificate', path, disk);
  const chain = loadChain(path, disk);
  const { certificate, intermediates } = chain;
  requireRsa(`certificate ${path}`, certificate.publicKey);
  const signDigests = (batch ? signAtOnce : signInTurn)(command, certificate.publicKey);
  return {
    signer: remoteSigner(certificate, signDigests, intermediates),
    warnings: chainWarnings(path, chain, now),
  };
}

function signInTurn(command: readonly string[], publicKey: KeyObject): SignDigests {
  return (digests) =>
    digests.map((toSign) => {
      const answer = answerOf(command, toSign.digest, 1);
      if (isSignature(answer, toSign.digest, publicKey)) return answer;
      const hint = 'let it sign the 32 bytes on its stdin as they are, as a SHA-256 digest';
      throw noSignature(command, toSign, answer.length, hint);
    });
}

function signAtOnce(command: readonly string[], publicKey: KeyObject): SignDigests {
  return (digests) => {
    const asked = digests.map(({ digest }) => `${Buffer.from(digest).toString('hex')}\n`).join('');
    const answer = answerOf(command, Buffer.from(asked), digests.length);
    const lines = new TextDecoder().decode(answer).trimEnd().split(/\r?\n/);
    if (lines.length !== digests.length) {
      throw new EspError(
        'SIGNER_FAILED',
        `signing command ${command[0]}: expected ${digests.length} lines, got ${lines.length}`,
        { hint: BATCH_HINT },
      );
    }
    return digests.map((toSign, index) => {
      const signature = Buffer.from(lines[index] ?? '', 'base64');
      if (isSignature(signature, toSign.digest, publicKey)) return signature;
      throw noSignature(command, toSign, signature.length, BATCH_HINT);
    });
  };
}

const BATCH_HINT =
  'let it answer each line of hexadecimal, a SHA-256 digest, with a line of base64, its signature';

/** Runs the command once, for so many signatures, and returns what it answers. */
function answerOf(command: readonly string[], input: Uint8Array, count: number): Uint8Array {
  const [program = '', ...args] = command;
  const { status, signal, stdout, error } = spawnSync(program, args, {
    input,
    // What asks for a PIN or a touch speaks to the person at the terminal.
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: TIMEOUT * count,
    maxBuffer: MAX_OUTPUT * count,
  });
  // One that does not read its stdin is an error of the pipe, whatever else it does: the answer tells.
  if (status === 0) return stdout;
  const ended = status === null && signal === null ? '' : `, got ${signal ?? status}`;
  throw new EspError('SIGNER_FAILED', `signing command ${program}: expected status 0${ended}`, {
    cause: status === null ? error : undefined,
  });
}

function noSignature(
  [program]: readonly string[],
  { name }: DigestToSign,
  size: number,
  hint: string,
): EspError {
  return new EspError(
    'SIGNER_FAILED',
    `signing command ${program}: ${name}: expected an RSA signature of the digest for the certificate, got ${size} bytes that are none`,
    { hint },
  );
}
