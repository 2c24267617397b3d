/** Checks whether the initrd of a system with a root hash can open the file system. */

import type { Context } from '../context.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import { rootHashesOnCmdline } from '../verity/cmdline.ts';
import type { Hashed } from './payload.ts';

/** The cache key of an initrd that lacks nothing. */
const OPENS_VERITY = 'opens-verity';

/**
 * Returns what the initrd lacks, or may lack, one line each. A good initrd is read once and
 * remembered.
 */
export async function initrdWarnings(
  { initrd, kernelParams }: Pick<Bootspec, 'initrd' | 'kernelParams'>,
  known: Hashed | undefined,
  { disk, machine, environment }: Context,
  cache: DigestCache,
): Promise<readonly string[]> {
  if (Object.keys(rootHashesOnCmdline(kernelParams.join(' '))).length === 0) return [];
  if (initrd === undefined) return ['it has a root hash, and no initrd to open what it is of'];
  if (known && cache.get(OPENS_VERITY, initrd, known.stat) !== undefined) return [];
  const [{ describeInitrdFinding, lintInitrd }, { findXz }] = await Promise.all([
    import('../initrd/lint.ts'),
    import('../initrd/xz-program.ts'),
  ]);
  using source = disk.open(initrd);
  const findings = await lintInitrd(source, { unxz: findXz(machine, environment) });
  if (findings.length === 0 && known) cache.put(OPENS_VERITY, initrd, known.stat, known.digest);
  return findings.map((finding) => `${initrd}: ${describeInitrdFinding(finding)}`);
}
