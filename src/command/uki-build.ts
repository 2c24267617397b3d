/** `uki build`: builds one image from the options of `ukify build`. */
import type { Context } from '../context.ts';
import type { Invocation } from '../settings/invocation.ts';
import type { Signer } from '../signer/signer.ts';
import { placeImage } from '../transaction/place-image.ts';
import { buildLayout } from '../uki/build.ts';
import { withVerityWords } from '../uki/verity-cmdline.ts';
import { type BuildSettings, readBuildSettings } from '../ukify/build-settings.ts';
import { initrdByDracut } from '../ukify/dracut.ts';
import { inputWarnings } from '../ukify/input-checks.ts';
import { type Inputs, inputsOn } from '../ukify/inputs.ts';
import { gatherParts } from '../ukify/parts.ts';
import { wantsPolicies } from '../ukify/policy-settings.ts';
import { verityWordsFor } from '../ukify/verity.ts';
import { chooseSigner, requirePlace } from './uki-destination.ts';
import { type Built, report } from './uki-report.ts';

/** Builds an image and writes it. */
export async function ukiBuild(
  { flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk } = context;
  const inputs = inputsOn(disk);
  const given = readBuildSettings(flags, disk);
  if (given['join-pcrsig'] !== undefined) {
    const { completePolicies } = await import('./uki-policies.ts');
    const done = await completePolicies(given, inputs, context);
    return report({ ...done, output: given.output }, { json, verbosity }, context);
  }
  const settings = await withRelease(given, inputs, context);
  const { signer, warnings } = await chooseSigner(settings, inputs, context);
  const output = disk.realPath(settings.output) ?? settings.output;
  const remarks = inputWarnings(settings, inputs, disk);
  const words = await verityWordsFor(settings, inputs, context);
  const dracut = await initrdByDracut(settings, context);
  const initrd = dracut === undefined ? settings.initrd : [dracut.path, ...settings.initrd];
  let built: Built;
  try {
    built = await buildAt(output, { ...settings, initrd }, inputs, { ...context, signer, words });
  } finally {
    dracut?.remove();
  }
  const all = [
    ...warnings,
    ...remarks,
    ...(words.length > 0 ? await warningsOfInitrd(output, context) : []),
  ];
  return report({ ...built, signer, warnings: all, output }, { json, verbosity }, context);
}

/** Reads the release from the kernel when no option gives it. */
async function withRelease(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<BuildSettings> {
  const { linux, uname } = settings;
  if (linux === undefined || uname !== undefined) return settings;
  const { releaseOf } = await import('../ukify/release.ts');
  const release = await releaseOf(inputs.file('linux', linux).path, context);
  return release === undefined ? settings : { ...settings, uname: release };
}

async function warningsOfInitrd(output: string, context: Context): Promise<readonly string[]> {
  const { initrdWarnings } = await import('../ukify/initrd.ts');
  return initrdWarnings(output, context);
}

/** Builds an image at its place. */
async function buildAt(
  output: string,
  settings: BuildSettings,
  inputs: Inputs,
  { words, ...context }: Context & { signer: Signer; words: readonly string[] },
): Promise<Built> {
  const { disk, signer, processId, progress } = context;
  const wants = wantsPolicies(settings);
  const asked = wants
    ? await (await import('./uki-policies.ts')).loadKeys(settings, inputs, context)
    : undefined;
  const parts = gatherParts(settings, inputs, { disk, signer, policyKey: asked?.publicKey });
  const worded = words.length > 0 ? withVerityWords(parts, words) : parts;
  const policies = await asked?.make(worded);
  const layout = buildLayout(policies ? { ...worded, policies: policies.texts } : worded);
  requirePlace(output, inputs, disk);
  progress?.begin(`building ${output}`, { bytes: layout.size });
  const size = await placeImage(layout, output, {
    ...{ disk, signer, processId, sources: inputs.seen },
    ...(progress && { progress }),
  });
  return { size, ...(policies ? { policies } : {}) };
}
