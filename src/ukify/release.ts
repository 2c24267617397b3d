/** Finds the release of the kernel of `uki build`. */

import type { Context } from '../context.ts';
import { bannerRelease } from '../uki/banner.ts';
import { kernelTraits } from '../uki/kernel.ts';

/**
 * Returns the output of `uname -r` for a kernel, from its header or else from its banner.
 * @throws {PE_MALFORMED} when it is no EFI program
 */
export async function releaseOf(linux: string, { disk }: Context): Promise<string | undefined> {
  using source = disk.open(linux);
  return kernelTraits(source, linux).release ?? (await bannerRelease(source));
}
