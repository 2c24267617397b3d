/** What a signer is shown of a request before anything is signed, and what is refused. */

import { createInterface } from 'node:readline/promises';
import { digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { exactSize } from '../quantity.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import type { RequestedProgram, SigningRequest } from '../signer/signing-document.ts';
import { isBareKernel } from '../signing/bare-kernel.ts';
import { printable } from '../terminal/printable.ts';

/** How a request is judged. */
export interface Review {
  /** The kinds that are signed; all when empty. */
  readonly only: readonly string[];
  readonly signKernels: boolean;
  /** A directory below which the signer's own copies of the sources lie, from `/` on. */
  readonly against: string | undefined;
}

/** A program that will be signed, with what the signer's own store says of it. */
export interface ReviewedProgram extends RequestedProgram {
  readonly checked: 'same' | 'not here' | 'not asked';
}

/**
 * Returns the programs of a request that are to be signed.
 * @throws {KEY_INVALID} when a source is another one in the signer's store
 * @throws {CONFIG_INVALID} for a bare kernel that nobody allowed to be signed
 */
export function reviewRequest(
  { programs }: SigningRequest,
  { only, signKernels, against }: Review,
  disk: Disk,
): readonly ReviewedProgram[] {
  return programs
    .filter(({ what }) => only.length === 0 || only.includes(what))
    .map((program) => {
      const own = against === undefined ? undefined : ownCopy(program, against, disk);
      const name = program.path ?? program.source ?? program.what;
      if ((program.what === 'kernel' || own?.isKernel) && !signKernels) throw bareKernel(name);
      if (own !== undefined && own.image !== program.image) {
        throw new EspError(
          'KEY_INVALID',
          `${name}: expected digest ${own.image} of ${own.path}, got ${program.image}`,
          { hint: 'the other machine asks for another program than it says: look at it first' },
        );
      }
      const checked = own ? 'same' : against === undefined ? 'not asked' : 'not here';
      return { ...program, checked };
    });
}

/** Returns the error of a kernel that would start with any initrd and any command line. */
export function bareKernel(name: string): EspError {
  return new EspError(
    'CONFIG_INVALID',
    `${name}: is a bare kernel: signed, it starts with any initrd and any command line under Secure Boot`,
    { hint: 'give --sign-kernels to sign it all the same, or --only uki to leave it out' },
  );
}

function ownCopy({ source }: RequestedProgram, against: string, disk: Disk) {
  const path = source === undefined ? undefined : `${against.replace(/\/$/, '')}${source}`;
  if (path === undefined || disk.stat(path)?.kind !== 'file') return undefined;
  using file = disk.open(path);
  const image = digestOf(authenticodeDigest(file));
  return { path, image, isKernel: isBareKernel(file) };
}

/** Says which machine asks, and when it asked. */
export function askedBy({ machine, since }: Pick<SigningRequest, 'machine' | 'since'>): string {
  return `asked for by ${printable(machine ?? 'a machine that does not say which')}, ${printable(since ?? 'at an unknown time')}:`;
}

/** Returns what the signer is shown, line by line. */
export function describeRequest(
  request: SigningRequest,
  programs: readonly ReviewedProgram[],
): readonly string[] {
  return [
    askedBy(request),
    ...programs.map(
      ({ what, path, source, size, image, checked }) =>
        `  ${what} ${printable(path ?? source ?? 'whose name follows from its signature')}, ${exactSize(size)}, digest ${image}${CHECKED[checked]}`,
    ),
  ];
}

const CHECKED = {
  same: ', the same in the store here',
  'not here': ', not to be checked here',
  'not asked': '',
} as const;

/** Asks the person at the terminal; without one there is nobody to ask. @throws {SIGNER_FAILED} on a no */
export async function requireConsent(what: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`Sign ${what}? [y/N] `);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    terminal.close();
  }
  throw new EspError('SIGNER_FAILED', 'nothing was signed: the answer was no', {
    hint: 'run it again to be asked again, with --only to sign some kinds alone',
  });
}
