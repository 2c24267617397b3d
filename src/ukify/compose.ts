/** Lays out an image from the settings of `uki build`, wherever it is built for. */
import type { Context } from '../context.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import type { Signer } from '../signer/signer.ts';
import { buildLayout } from '../uki/build.ts';
import { withVerityWords } from '../uki/verity-cmdline.ts';
import type { BuildSettings } from './build-settings.ts';
import { initrdByDracut } from './dracut.ts';
import type { Inputs } from './inputs.ts';
import { gatherParts } from './parts.ts';
import type { MadePolicies } from './policies.ts';
import { wantsPolicies } from './policy-settings.ts';

/** An image that can be written, and the policies in it. */
export interface Composed {
  readonly layout: ImageLayout;
  readonly policies?: MadePolicies | undefined;
}

/** What an image is composed with, besides its settings. */
export type Composing = Context & {
  readonly signer: Signer;
  /** Come to the end of the command line. */
  readonly words: readonly string[];
};

/**
 * Lays out an image, has `place` write it, and removes what was made for it meanwhile. Throws as
 * `uki build` does.
 */
export async function withImage<Result>(
  given: BuildSettings,
  inputs: Inputs,
  composing: Composing,
  place: (composed: Composed) => Promise<Result>,
): Promise<Result> {
  const settings = await withRelease(given, inputs, composing);
  const dracut = await initrdByDracut(settings, composing);
  try {
    const initrd = dracut === undefined ? settings.initrd : [dracut.path, ...settings.initrd];
    return await place(await compose({ ...settings, initrd }, inputs, composing));
  } finally {
    dracut?.remove();
  }
}

/** Reads the release from the kernel when no option gives it. */
async function withRelease(
  settings: BuildSettings,
  inputs: Inputs,
  context: Context,
): Promise<BuildSettings> {
  const { linux, uname } = settings;
  if (linux === undefined || uname !== undefined) return settings;
  const { releaseOf } = await import('./release.ts');
  const release = await releaseOf(inputs.file('linux', linux).path, context);
  return release === undefined ? settings : { ...settings, uname: release };
}

async function compose(
  settings: BuildSettings,
  inputs: Inputs,
  { words, signer, ...context }: Composing,
): Promise<Composed> {
  const { disk } = context;
  const asked = wantsPolicies(settings)
    ? await (await import('./policy-keys.ts')).loadKeys(settings, inputs, context)
    : undefined;
  const parts = gatherParts(settings, inputs, { disk, signer, policyKey: asked?.publicKey });
  const worded = words.length > 0 ? withVerityWords(parts, words) : parts;
  const policies = await asked?.make(worded);
  const layout = buildLayout(policies ? { ...worded, policies: policies.texts } : worded);
  return { layout, policies };
}
