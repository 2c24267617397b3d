/** Loads the signer of the settings. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import type { Settings } from '../settings/settings.ts';
import type { LoadedSigner } from '../signer/pem.ts';

/**
 * Returns the signer of the settings, or undefined when they name neither a certificate nor a key.
 * @throws {CONFIG_INVALID} when they name one without the other
 * @throws {KEY_INVALID} {KEY_INSECURE}
 */
export async function signerOf(
  settings: Settings,
  context: Context,
): Promise<LoadedSigner | undefined> {
  const { disk, machine, now } = context;
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
  const [{ loadSigner }, { keyOwner }] = await Promise.all([
    import('../signer/pem.ts'),
    import('../signer/key-safety.ts'),
  ]);
  return loadSigner({ certificate, privateKey, allowInsecureKey }, keyOwner(context), disk, now);
}

function without(given: string, lacking: string): EspError {
  return new EspError('CONFIG_INVALID', `${given} is given without ${lacking}`, {
    hint: 'give both, or neither together with --allow-unsigned',
  });
}
