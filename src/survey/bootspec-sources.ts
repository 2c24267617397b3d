/** What is asked of the files of a bootspec before they are read. */

import type { Context } from '../context.ts';
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
  const sizes = sizesOf(bootspecs, context);
  const requireTrusted = trustCheck(targetsOf(settings), context.disk);
  const trusted = new Set<string>();
  return (bootspec) => {
    requireHoldable(bootspec, chosenFormat, sizes);
    for (const path of signedOf(bootspec, policy)) {
      if (!trusted.has(path)) requireTrusted(path);
      trusted.add(path);
    }
  };
}

/** Returns the sizes of the files that are there, in bytes. */
function sizesOf(bootspecs: readonly Bootspec[], { disk }: Context): ReadonlyMap<string, number> {
  const paths = new Set(bootspecs.flatMap(filesOf));
  return new Map(
    [...paths].flatMap((path) => {
      const size = disk.stat(path)?.size;
      return size === undefined ? [] : [[path, size] as const];
    }),
  );
}

function filesOf({ kernel, initrd, devicetree }: Bootspec): string[] {
  return [kernel, initrd, devicetree].filter((path) => path !== undefined);
}

/** What FAT cannot hold is not read: of a sparse file that could take for ever. An image holds all in one. */
function requireHoldable(
  bootspec: Bootspec,
  { format }: ChosenFormat,
  sizes: ReadonlyMap<string, number>,
): void {
  const files = filesOf(bootspec).map((path) => ({ path, size: sizes.get(path) ?? 0 }));
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
