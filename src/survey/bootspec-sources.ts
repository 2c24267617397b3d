/** What is asked of the files of a bootspec before they are read. */

import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { LARGEST_FILE } from '../esp/space.ts';
import { targetsOf, trustCheck } from '../esp/untrusted-source.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import { isUnsigned } from '../signer/signer.ts';
import { type EntryPolicy, tooLarge } from './entry-maker.ts';
import type { ChosenFormat } from './stub.ts';

/**
 * Returns what makes sure that the files of one of these bootspecs may be read, and be signed where they
 * are. What it returns throws FILE_TOO_LARGE and SOURCE_UNTRUSTED.
 */
export function sourceCheck(
  bootspecs: readonly Bootspec[],
  policy: EntryPolicy,
  context: Context,
): (bootspec: Bootspec) => void {
  const { settings, chosenFormat } = policy;
  // Most have files that others have too. All are looked at before the table of mounts is read, which a
  // look at a file may change.
  const sizeOf = sizesOf(bootspecs, context.disk);
  const requireTrusted = trustCheck(targetsOf(settings), context.disk);
  const trusted = new Set<string>();
  return (bootspec) => {
    requireHoldable(bootspec, chosenFormat, sizeOf);
    for (const path of signedOf(bootspec, policy)) {
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

/** Bytes from an ESP must not get our signature, whichever system names them. */
function signedOf(bootspec: Bootspec, { signer, chosenFormat }: EntryPolicy): readonly string[] {
  if (isUnsigned(signer)) return [];
  // Of a Type #1 entry nothing but the kernel is signed.
  return chosenFormat.format.signsKernels ? [bootspec.kernel] : filesOf(bootspec);
}
