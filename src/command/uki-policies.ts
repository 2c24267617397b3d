/** The policies for PCR 11 of `uki build`: their keys, and signatures that come later. */
import type { Context } from '../context.ts';
import { requireKeyElsewhere } from '../esp/untrusted-source.ts';
import { parsePe, readSection } from '../pe/pe.ts';
import { replaceContents } from '../pe/replace-contents.ts';
import { keyOwner } from '../signer/key-safety.ts';
import { loadPolicyKey, loadPolicyPublicKey } from '../signer/policy-key.ts';
import { placeImage } from '../transaction/place-image.ts';
import type { ImageParts } from '../uki/build.ts';
import { formatPolicies, parsePolicies, withSignatures } from '../uki/pcrsig.ts';
import type { BuildSettings } from '../ukify/build-settings.ts';
import type { Inputs } from '../ukify/inputs.ts';
import { misuse } from '../ukify/misuse.ts';
import { type MadePolicies, makePolicies } from '../ukify/policies.ts';
import { readPolicyAsked } from '../ukify/policy-settings.ts';
import { chooseSigner, requirePlace } from './uki-destination.ts';

/** The keys of the settings, ready to make policies. */
export interface Asked {
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

/** In bytes. Policies of many profiles with their signatures take some hundred KiB. */
const MAX_POLICIES = 16 * 1024 * 1024;

/**
 * Puts signatures that were made elsewhere into an image that was built with `--policy-digest`. A
 * signature of the image itself would not survive: it is left out, and made anew with a key.
 * @throws {CONFIG_INVALID} when there is no policy in the image, or a signature for none of them
 */
export async function completePolicies(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<{ readonly size: number } & Awaited<ReturnType<typeof chooseSigner>>> {
  const { disk, processId } = context;
  const image = inputs.file('join-pcrsig', settings['join-pcrsig'] ?? '').path;
  const given = new TextDecoder().decode(inputs.text('pcrsig', settings.pcrsig ?? ''));
  const signed = parsePolicies(given, '--pcrsig');
  const chosen = await chooseSigner(settings, inputs, context);
  using source = disk.open(image);
  const pe = parsePe(source, image);
  const completed = pe.sections.flatMap((section, index) => {
    if (section.name !== '.pcrsig') return [];
    const text = new TextDecoder().decode(readSection(source, section, MAX_POLICIES));
    const policies = parsePolicies(text.replace(/\0+$/, ''), `${image}: .pcrsig`);
    const complete = formatPolicies(withSignatures(policies, signed));
    return [[index, new TextEncoder().encode(complete)] as const];
  });
  if (completed.length === 0) throw misuse(`--join-pcrsig: ${image} has no .pcrsig`);
  const layout = replaceContents(source, image, new Map(completed));
  const output = disk.realPath(settings.output) ?? settings.output;
  requirePlace(output, inputs, disk);
  const size = await placeImage(layout, output, {
    disk,
    signer: chosen.signer,
    processId,
    sources: inputs.seen,
  });
  const lost =
    pe.certificateTable.size > 0 && settings['secureboot-private-key'] === undefined
      ? [`${image}: it was signed, and what came of it is not: sign it with espalier sign`]
      : [];
  return { ...chosen, size, warnings: [...chosen.warnings, ...lost] };
}
