/** The policies for PCR 11 of `uki build`: signatures that come later. */
import type { Context } from '../context.ts';
import { parsePe, readSection } from '../pe/pe.ts';
import { replaceContents } from '../pe/replace-contents.ts';
import { placeImage } from '../transaction/place-image.ts';
import { formatPolicies, parsePolicies, withSignatures } from '../uki/pcrsig.ts';
import type { BuildSettings } from '../ukify/build-settings.ts';
import type { Inputs } from '../ukify/inputs.ts';
import { misuse } from '../ukify/misuse.ts';
import { chooseSigner, requirePlace } from './uki-destination.ts';

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
