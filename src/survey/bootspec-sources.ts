/** What is asked of the files of a bootspec before they are read. */

import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { LARGEST_FILE, tooLarge } from '../esp/space.ts';
import { targetsOf, trustCheck } from '../esp/untrusted-source.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation } from '../generation/generation.ts';
import { isUnsigned } from '../signer/signer.ts';
import type { EntryPolicy } from './entry-maker.ts';
import type { ChosenFormat } from './stub.ts';

/**
 * Returns what makes sure that the files of one of these bootspecs may be read, and be signed where they
 * are. What it returns throws FILE_TOO_LARGE and SOURCE_UNTRUSTED.
 */
export function sourceCheck(
  bootspecs: readonly Bootspec[],
  policy: EntryPolicy,
  context: Context,
): (generation: Generation, bootspec: Bootspec) => void {
  const { settings, chosenFormat } = policy;
  // Most have files that others have too. All are looked at before the table of mounts is read, which a
  // look at a file may change.
  const sizeOf = sizesOf(bootspecs, context.disk);
  const requireTrusted = trustCheck(targetsOf(settings), context.disk);
  const trusted = new Set<string>();
  return (generation, bootspec) => {
    requireHoldable(bootspec, chosenFormat, sizeOf);
    for (const path of vouchedFor(generation, bootspec, policy)) {
      if (!trusted.has(path)) requireTrusted(path);
      trusted.add(path);
    }
  };
}

/** Looks at every file once. Returns their sizes in bytes; the failure of one costs its generations alone. */
function sizesOf(bootspecs: readonly Bootspec[], disk: Disk): (path: string) => number {
  const look = (path: string) => disk.stat(path)?.size ?? 0;
  const known = new Map<string, number>();
  for (const path of new Set(bootspecs.flatMap(filesOf))) {
    try {
      known.set(path, look(path));
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
    }
  }
  return (path) => known.get(path) ?? look(path);
}

function filesOf({ kernel, initrd, devicetree }: Bootspec): string[] {
  return [kernel, initrd, devicetree].filter((path) => path !== undefined);
}

/** What FAT cannot hold is not read: of a sparse file that could take for ever. An image holds all in one. */
function requireHoldable(
  bootspec: Bootspec,
  { format }: ChosenFormat,
  sizeOf: (path: string) => number,
): void {
  const files = filesOf(bootspec).map((path) => ({ path, size: sizeOf(path) }));
  for (const { path, size } of files) if (size > LARGEST_FILE) throw tooLarge(path, size);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (format.isOneFile && total > LARGEST_FILE) throw tooLarge('its image', total);
}

/** Whether a key vouches for images: with a signature, or with policies for PCR 11 that let a TPM open a disk. */
export function vouches({ signer, policies }: EntryPolicy): boolean {
  return !isUnsigned(signer) || policies !== undefined;
}

/** What a system is described by: the command line comes from it. */
const DESCRIPTIONS = ['boot.json', 'kernel-params'];

/** For bytes from an ESP no key must vouch, whichever system names them. */
function vouchedFor(
  { toplevel }: Generation,
  bootspec: Bootspec,
  policy: EntryPolicy,
): readonly string[] {
  if (!vouches(policy)) return [];
  // Of a Type #1 entry nothing but the kernel is signed.
  if (policy.chosenFormat.format.signsKernels) return [bootspec.kernel];
  const described = [toplevel, bootspec.toplevel].flatMap((system) =>
    DESCRIPTIONS.map((name) => `${system}/${name}`),
  );
  return [...filesOf(bootspec), ...described];
}
