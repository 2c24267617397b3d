/** Loads the signer of the settings. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import type { Settings } from '../settings/settings.ts';
import type { LoadedSigner, SignerFiles } from '../signer/pem.ts';
import { unsigned } from '../signer/signer.ts';

/**
 * Returns the signer of the settings, or undefined when they name neither a certificate nor a key.
 * @throws {CONFIG_INVALID} when they name one without the other
 * @throws {KEY_INVALID} {KEY_INSECURE}
 */
export async function signerOf(
  settings: Settings,
  context: Context,
): Promise<LoadedSigner | undefined> {
  const { disk, machine, now, given } = context;
  const {
    certificate,
    'private-key': privateKey,
    'signing-command': command,
    signatures,
  } = settings;
  const [key, other] = [
    ...(privateKey === undefined ? [] : ['--private-key']),
    ...(command === undefined ? [] : ['--signing-command']),
    ...(signatures === undefined ? [] : ['--signatures']),
  ];
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined) throw without(key ?? '', '--certificate');
  if (other !== undefined) {
    throw new EspError('CONFIG_INVALID', `${key} and ${other} are given, and one key is enough`, {
      hint: 'give the one that signs for the certificate',
    });
  }
  if (command !== undefined) {
    if (given && !given.has('signing-command')) return withoutCommand(command, given);
    const { loadCommandSigner } = await import('../signer/command-signer.ts');
    const batch = settings['signing-batch'];
    return loadCommandSigner({ certificate, command, batch }, { disk, machine }, now);
  }
  if (signatures !== undefined) {
    const { loadDeliveredSigner } = await import('../signer/delivered-signer.ts');
    return loadDeliveredSigner({ certificate, signatures }, disk, now);
  }
  if (privateKey === undefined) throw without('--certificate', '--private-key');
  const allowInsecureKey = settings['allow-insecure-key'];
  return keySigner({ certificate, privateKey, allowInsecureKey }, context);
}

/**
 * Returns the signer of a certificate and a key file.
 * @throws {KEY_INVALID} {KEY_INSECURE}
 */
export async function keySigner(files: SignerFiles, context: Context): Promise<LoadedSigner> {
  const { disk, now } = context;
  requireKeyElsewhere(files.privateKey, files.allowInsecureKey, disk);
  const [{ loadSigner }, { keyOwner }] = await Promise.all([
    import('../signer/pem.ts'),
    import('../signer/key-safety.ts'),
  ]);
  return loadSigner(files, keyOwner(context), disk, now);
}

/** The command of a mounted system would run here, on a machine that it knows nothing of. */
function withoutCommand(
  [program]: readonly string[],
  given: NonNullable<Context['given']>,
): LoadedSigner {
  const what = `signing-command ${program}: the mounted system names it, so it is not run here`;
  if (given.has('allow-unsigned')) {
    return { signer: unsigned, warnings: [`${what}: what is installed is not signed`] };
  }
  throw new EspError('CONFIG_INVALID', what, {
    hint: 'give --signing-command yourself, or --allow-unsigned if Secure Boot is off',
  });
}

function without(given: string, lacking: string): EspError {
  return new EspError('CONFIG_INVALID', `${given} is given without ${lacking}`, {
    hint: 'give both, or neither together with --allow-unsigned',
  });
}
