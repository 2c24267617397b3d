/** What is asked of the files of a bootspec before they are read. */

import type { Context } from '../context.ts';
import { LARGEST_FILE, tooLarge } from '../esp/space.ts';
import { targetsOf, trustCheck } from '../esp/untrusted-source.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation } from '../generation/generation.ts';
import { isUnsigned } from '../signer/signer.ts';
import type { EntryPolicy } from './entry-maker.ts';

/**
 * Makes sure that the files of a bootspec may be read, and be signed where they are.
 * @throws {FILE_TOO_LARGE} {SOURCE_UNTRUSTED}
 */
export function requireSources(
  generation: Generation,
  bootspec: Bootspec,
  policy: EntryPolicy,
  context: Context,
): void {
  requireHoldable(bootspec, policy, context);
  requireOutside(generation, bootspec, policy, context);
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

/** Whether a key vouches for images: with a signature, or with policies for PCR 11 that let a TPM open a disk. */
export function vouches({ signer, policies }: EntryPolicy): boolean {
  return !isUnsigned(signer) || policies !== undefined;
}

/** What a system is described by: the command line comes from it. */
const DESCRIPTIONS = ['boot.json', 'kernel-params'];

/** For bytes from an ESP no key must vouch, whichever system names them. */
function requireOutside(
  generation: Generation,
  { kernel, initrd, devicetree, toplevel }: Bootspec,
  policy: EntryPolicy,
  { disk }: Context,
): void {
  if (!vouches(policy)) return;
  const described = [generation.toplevel, toplevel].flatMap((system) =>
    DESCRIPTIONS.map((name) => `${system}/${name}`),
  );
  // Of a Type #1 entry nothing but the kernel is signed.
  const signed = policy.chosenFormat.format.signsKernels
    ? [kernel]
    : [kernel, initrd, devicetree, ...described];
  const requireTrusted = trustCheck(targetsOf(policy.settings), disk);
  for (const path of signed) if (path) requireTrusted(path);
}
