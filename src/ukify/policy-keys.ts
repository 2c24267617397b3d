/** The keys of an image's policies for PCR 11, ready to make them. */
import type { Context } from '../context.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import { keyOwner } from '../signer/key-safety.ts';
import { loadPolicyKey, loadPolicyPublicKey } from '../signer/policy-key.ts';
import type { ImageParts } from '../uki/build.ts';
import type { BuildSettings } from './build-settings.ts';
import type { Inputs } from './inputs.ts';
import { type MadePolicies, makePolicies } from './policies.ts';
import { readPolicyAsked } from './policy-settings.ts';

/** The keys of the settings, ready to make policies. */
interface Asked {
  /** The only public key (PEM), which goes into the image. */
  readonly publicKey: Uint8Array | undefined;
  make(parts: ImageParts): Promise<MadePolicies>;
}

/**
 * Loads the keys that the settings name.
 * @throws {CONFIG_INVALID} {KEY_INVALID} {KEY_INSECURE}
 */
export async function loadKeys(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<Asked> {
  const { disk } = context;
  const asked = readPolicyAsked(settings);
  const allowInsecureKey = settings['allow-insecure-key'];
  const signers = asked.groups.map(({ privateKey, publicKey }) => {
    inputs.key('pcr-private-key', privateKey);
    if (publicKey !== undefined) inputs.key('pcr-public-key', publicKey);
    requireKeyElsewhere(privateKey, allowInsecureKey, disk);
    return loadPolicyKey({ privateKey, publicKey, allowInsecureKey }, keyOwner(context), disk);
  });
  const noted = asked.noted === undefined ? undefined : loadPolicyPublicKey(asked.noted, disk);
  const [only] = signers.length > 0 ? signers : [noted];
  const keys = { signers, elsewhere: asked.elsewhere === undefined ? undefined : noted };
  return {
    publicKey: signers.length > 1 ? undefined : only?.pem,
    make: (parts) => makePolicies(parts, asked, keys, disk),
  };
}
