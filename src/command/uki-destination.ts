/** Where an image of `uki build` goes, and who signs it. */
import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { type Signer, unsigned } from '../signer/signer.ts';
import { keySigner } from '../survey/signer-of.ts';
import type { BuildSettings } from '../ukify/build-settings.ts';
import type { Inputs } from '../ukify/inputs.ts';
import { misuse } from '../ukify/misuse.ts';

/** Returns who signs the image. */
export async function chooseSigner(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<{ readonly signer: Signer; readonly warnings: readonly string[] }> {
  const privateKey = settings['secureboot-private-key'];
  const certificate = settings['secureboot-certificate'];
  if (privateKey === undefined || certificate === undefined)
    return { signer: unsigned, warnings: [] };
  inputs.key('secureboot-private-key', privateKey);
  inputs.key('secureboot-certificate', certificate);
  const allowInsecureKey = settings['allow-insecure-key'];
  return keySigner({ certificate, privateKey, allowInsecureKey }, context);
}

/** Refuses an output path that is an input of the image, or that exists and is no regular file. */
export function requirePlace(output: string, { seen }: Inputs, disk: Context['disk']): void {
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
