/** Whether what boots from an image can open its file system by a root hash. */
import type { Context } from '../context.ts';
import { describeInitrdFinding, lintInitrd } from '../initrd/lint.ts';
import { findXz } from '../initrd/xz-program.ts';
import { contentRange, parsePe } from '../pe/pe.ts';
import { partOf } from '../verity/disk-pair.ts';

/** Returns what the initrds of an image lack, or may lack, to open a verity device; one line each. */
export async function initrdWarnings(
  image: string,
  { disk, machine, environment }: Pick<Context, 'disk' | 'machine' | 'environment'>,
): Promise<readonly string[]> {
  using source = disk.open(image);
  const unxz = findXz(machine, environment);
  const warnings: string[] = [];
  for (const section of parsePe(source, image).sections) {
    if (section.name !== '.initrd') continue;
    const findings = await lintInitrd(partOf(source, contentRange(section)), { unxz });
    warnings.push(...findings.map((found) => `.initrd: ${describeInitrdFinding(found)}`));
  }
  return warnings;
}
