/** `uki build`: builds one image from the options of `ukify build`. */
import type { Context } from '../context.ts';
import type { Invocation } from '../settings/invocation.ts';
import { placeImage } from '../transaction/place-image.ts';
import { isVouchedFor, readBuildSettings } from '../ukify/build-settings.ts';
import { withImage } from '../ukify/compose.ts';
import { inputWarnings } from '../ukify/input-checks.ts';
import { inputsOn } from '../ukify/inputs.ts';
import { verityWordsFor } from '../ukify/verity.ts';
import { chooseSigner, requirePlace } from './uki-destination.ts';
import { report } from './uki-report.ts';

/** Builds an image and writes it. */
export async function ukiBuild(
  { flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk } = context;
  const given = readBuildSettings(flags, disk);
  const inputs = inputsOn(disk, isVouchedFor(given));
  if (given['join-pcrsig'] !== undefined) {
    const { completePolicies } = await import('./uki-policies.ts');
    const done = await completePolicies(given, inputs, context);
    return report({ ...done, output: given.output }, { json, verbosity }, context);
  }
  const { signer, warnings } = await chooseSigner(given, inputs, context);
  const output = disk.realPath(given.output) ?? given.output;
  const remarks = inputWarnings(given, inputs, disk);
  const words = await verityWordsFor(given, inputs, context);
  const built = await withImage(given, inputs, { ...context, signer, words }, async (composed) => {
    requirePlace(output, inputs, disk);
    const { processId, progress } = context;
    progress?.begin(`building ${output}`, { bytes: composed.layout.size });
    const size = await placeImage(composed.layout, output, {
      ...{ disk, signer, processId, sources: inputs.seen },
      ...(progress && { progress }),
    });
    return { size, policies: composed.policies };
  });
  const all = [
    ...warnings,
    ...remarks,
    ...(words.length > 0 ? await warningsOfInitrd(output, context) : []),
  ];
  return report({ ...built, signer, warnings: all, output }, { json, verbosity }, context);
}

async function warningsOfInitrd(output: string, context: Context): Promise<readonly string[]> {
  const { initrdWarnings } = await import('../ukify/initrd.ts');
  return initrdWarnings(output, context);
}
