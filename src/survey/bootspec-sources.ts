/** What is asked of the files of a bootspec before they are read. */

import type { Context } from '../context.ts';
import { LARGEST_FILE } from '../esp/space.ts';
import { targetsOf, trustCheck } from '../esp/untrusted-source.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import { isUnsigned } from '../signer/signer.ts';
import { type EntryPolicy, tooLarge } from './entry-maker.ts';

/**
 * Makes sure that the files of a bootspec may be read, and be signed where they are.
 * @throws {FILE_TOO_LARGE} {SOURCE_UNTRUSTED}
 */
export function requireSources(bootspec: Bootspec, policy: EntryPolicy, context: Context): void {
  requireHoldable(bootspec, policy, context);
  requireOutside(bootspec, policy, context);
}

/** What FAT cannot hold is not read: of a sparse file that could take for ever. An image holds all in one. */
function requireHoldable(
  { kernel, initrd, devicetree }: Bootspec,
  { chosenFormat }: EntryPolicy,
  { disk }: Context,
): void {
  const files = [kernel, initrd, devicetree].flatMap((path) => {
    const size = path === undefined ? undefined : disk.stat(path)?.size;
    return path === undefined || size === undefined ? [] : [{ path, size }];
  });
  for (const { path, size } of files) if (size > LARGEST_FILE) throw tooLarge(path, size);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (chosenFormat.format.isOneFile && total > LARGEST_FILE) throw tooLarge('its image', total);
}

/** Bytes from an ESP must not get our signature, whichever system names them. */
function requireOutside(
  { kernel, initrd, devicetree }: Bootspec,
  { settings, signer, chosenFormat }: EntryPolicy,
  { disk }: Context,
): void {
  if (isUnsigned(signer)) return;
  // Of a Type #1 entry nothing but the kernel is signed.
  const signed = chosenFormat.format.signsKernels ? [kernel] : [kernel, initrd, devicetree];
  const requireTrusted = trustCheck(targetsOf(settings), disk);
  for (const path of signed) if (path) requireTrusted(path);
}
