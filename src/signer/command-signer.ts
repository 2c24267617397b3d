/**
 * A signer that runs a command. The command reaches a key in a token, in a TPM or on another
 * machine.
 */

import type { KeyObject } from 'node:crypto';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Machine } from '../process/machine.ts';
import { notRun } from '../process/not-run.ts';
import { counted } from '../quantity.ts';
import { type DigestToSign, remoteSigner, type SignDigests } from './certificate-signer.ts';
import { chainWarnings, type LoadedSigner, loadChain, requireFile, requireRsa } from './pem.ts';
import { isSignature } from './pkcs1.ts';

/** The absolute path of a certificate in PEM, and the command that signs for it. */
export interface SigningCommand {
  readonly certificate: string;
  readonly command: readonly string[];
  /** Whether one run of the command signs many digests, one per line. */
  readonly batch: boolean;
}

/** In milliseconds for each signature. A person needs time to find a token and touch it. */
const TIMEOUT = 120_000;
/** In bytes for each signature: several times the largest one, even as text. */
const MAX_OUTPUT = 65_536;

/**
 * Loads a signer from a certificate and a command. The command gets a SHA-256 digest of 32 bytes on
 * its stdin. It answers on its stdout with the RSA signature of it (PKCS#1 v1.5), as `openssl
 * pkeyutl -sign -pkeyopt digest:sha256` does. A command for batches gets each digest as a line of
 * hexadecimal, and answers with as many lines of base64 in the same order. The command runs only
 * when there is something to sign, because it may have to ask a person.
 * @param now seconds since the epoch; a certificate outside its dates is a warning, no error
 * @throws {KEY_INVALID} when there is no certificate in the file, or its key is not RSA
 */
export function loadCommandSigner(
  { certificate: path, command, batch }: SigningCommand,
  { disk, machine }: { readonly disk: Disk; readonly machine: Pick<Machine, 'ask'> },
  now: number,
): LoadedSigner {
  requireFile('certificate', path, disk);
  const chain = loadChain(path, disk);
  const { certificate, intermediates } = chain;
  requireRsa(`certificate ${path}`, certificate.publicKey);
  const signDigests = commandDigests({ command, batch }, certificate.publicKey, machine);
  return {
    signer: remoteSigner(certificate, signDigests, intermediates),
    warnings: chainWarnings(path, chain, now),
  };
}

/** Returns what has a command sign digests, and checks the signatures by a public key. */
export function commandDigests(
  { command, batch }: Omit<SigningCommand, 'certificate'>,
  publicKey: KeyObject,
  machine: Pick<Machine, 'ask'>,
): SignDigests {
  const ask: Ask = (input, count) => answerOf(command, input, count, machine);
  return (batch ? signAtOnce : signInTurn)(command, ask, publicKey);
}

/** Runs the command once for `count` signatures, and returns its answer. */
type Ask = (input: Uint8Array, count: number) => Uint8Array;

function signInTurn(command: readonly string[], ask: Ask, publicKey: KeyObject): SignDigests {
  return (digests) =>
    digests.map((toSign) => {
      const answer = ask(toSign.digest, 1);
      if (isSignature(answer, toSign.digest, publicKey)) return answer;
      const hint = 'let it sign the 32 bytes on its stdin as they are, as a SHA-256 digest';
      throw noSignature(command, toSign, answer.length, hint);
    });
}

function signAtOnce(command: readonly string[], ask: Ask, publicKey: KeyObject): SignDigests {
  return (digests) => {
    const asked = digests.map(({ digest }) => `${Buffer.from(digest).toString('hex')}\n`).join('');
    const answer = ask(Buffer.from(asked), digests.length);
    const lines = new TextDecoder().decode(answer).trimEnd().split(/\r?\n/);
    if (lines.length !== digests.length) {
      throw new EspError(
        'SIGNER_FAILED',
        `signing command ${command[0]}: expected ${counted(digests.length, 'line')}, got ${lines.length}`,
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

function answerOf(
  command: readonly string[],
  input: Uint8Array,
  count: number,
  machine: Pick<Machine, 'ask'>,
): Uint8Array {
  const { status, signal, stdout, error } = machine.ask({
    argv: command,
    input,
    timeout: TIMEOUT * count,
    limit: MAX_OUTPUT * count,
    // A command that asks for a PIN or a touch speaks to the person at the terminal.
    messages: 'shown',
  });
  // A command that does not read its stdin breaks the pipe. Only its answer decides.
  if (status === 0) return stdout;
  const what =
    status === null && signal === null
      ? `it cannot be run: ${notRun(error)}`
      : `expected status 0, got ${signal ?? status}`;
  throw new EspError('SIGNER_FAILED', `signing command ${command[0]}: ${what}`, {
    cause: status === null ? error : undefined,
    hint: 'run it by hand, and see what it says',
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
    `signing command ${program}: ${name}: expected an RSA signature of the digest for the certificate, got ${size === 0 ? 'nothing' : `${counted(size, 'byte')} that are none`}`,
    { hint },
  );
}
