/** `uki build`: builds one image from the options of `ukify build`. */
import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { EspError, EXIT_WARNINGS } from '../error.ts';
import type { Invocation } from '../settings/invocation.ts';
import { isUnsigned, type Signer, unsigned } from '../signer/signer.ts';
import { keySigner } from '../survey/signer-of.ts';
import { placeImage } from '../transaction/place-image.ts';
import { buildLayout } from '../uki/build.ts';
import { withVerityWords } from '../uki/verity-cmdline.ts';
import { type BuildSettings, misuse, readBuildSettings } from '../ukify/build-settings.ts';
import { initrdByDracut } from '../ukify/dracut.ts';
import { inputWarnings } from '../ukify/input-checks.ts';
import { type Inputs, inputsOn } from '../ukify/inputs.ts';
import { gatherParts } from '../ukify/parts.ts';
import { verityWordsFor } from '../ukify/verity.ts';

/** Builds an image and writes it. */
export async function ukiBuild(
  { flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, print } = context;
  const inputs = inputsOn(disk);
  const settings = await withRelease(readBuildSettings(flags, disk), inputs, context);
  const { signer, warnings } = await chooseSigner(settings, inputs, context);
  const output = disk.realPath(settings.output) ?? settings.output;
  const remarks = inputWarnings(settings, inputs, disk);
  const words = await verityWordsFor(settings, inputs, context);
  const dracut = await initrdByDracut(settings, context);
  const initrd = dracut === undefined ? settings.initrd : [dracut.path, ...settings.initrd];
  let size: number;
  try {
    size = await buildAt(output, { ...settings, initrd }, inputs, { ...context, signer, words });
  } finally {
    dracut?.remove();
  }
  const all = [
    ...warnings,
    ...remarks,
    ...(words.length > 0 ? await warningsOfInitrd(output, context) : []),
  ];
  const isSigned = !isUnsigned(signer);
  if (json) {
    const certificate = isSigned ? signer.fingerprint : null;
    const done = { output, size, certificate, ...(all.length > 0 && { warnings: all }) };
    print(JSON.stringify({ version: 1, verb: 'uki build', ...done }, undefined, 2));
  } else print(`${output}: ${size} bytes, ${isSigned ? 'signed' : 'not signed'}`);
  if (all.length === 0) return 0;
  const log = (await import('../terminal/log.ts')).openLog(verbosity);
  for (const warning of all) log.warn(warning);
  return EXIT_WARNINGS;
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

/** Returns the size of the image in bytes. */
function buildAt(
  output: string,
  settings: BuildSettings,
  inputs: Inputs,
  { disk, signer, words, processId }: Context & { signer: Signer; words: readonly string[] },
): Promise<number> {
  const parts = gatherParts(settings, inputs, { disk, signer });
  const layout = buildLayout(words.length > 0 ? withVerityWords(parts, words) : parts);
  requirePlace(output, inputs, disk);
  return placeImage(layout, output, { disk, signer, processId, sources: inputs.seen });
}

async function chooseSigner(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<{ readonly signer: Signer; readonly warnings: readonly string[] }> {
  const privateKey = settings['secureboot-private-key'];
  const certificate = settings['secureboot-certificate'];
  if (privateKey === undefined || certificate === undefined)
    return { signer: unsigned, warnings: [] };
  inputs.file('secureboot-private-key', privateKey);
  inputs.file('secureboot-certificate', certificate);
  const allowInsecureKey = settings['allow-insecure-key'];
  return keySigner({ certificate, privateKey, allowInsecureKey }, context);
}

/** Refuses an output path that is an input of the image, or that exists and is no regular file. */
function requirePlace(output: string, { seen }: Inputs, disk: Context['disk']): void {
  if (disk.stat(dirname(output))?.kind !== 'directory') {
    throw misuse(`--output: ${dirname(output)} is no directory`);
  }
  const there = disk.stat(output);
  if (there === undefined) return;
  if (there.kind !== 'file') throw misuse(`--output: ${output} is there and is no file`);
  const input = [...seen].find(
    ([, { device, inode }]) => device === there.device && inode === there.inode,
  );
  if (input === undefined) return;
  throw new EspError('CONFIG_INVALID', `--output: ${output} is ${input[0]}, which goes into it`, {
    hint: 'name another file with --output',
  });
}
