/** All verbs in the order of the help, and what holds for each of them. */
import type { Option } from '../settings/option.ts';
import { locationOptions, settingOptions } from '../settings/verb-options.ts';
import { ENTRY_VERBS } from './entry-verbs.ts';
import { FIRMWARE_VERBS } from './firmware-verbs.ts';
import { IMAGE_VERBS } from './image-verbs.ts';
import { KERNEL_VERBS } from './kernel-verbs.ts';
import { KEY_VERBS } from './key-verbs.ts';
import { SERVICE_VERBS } from './service-verbs.ts';
import type { VerbDeclaration } from './verb.ts';

export const VERBS: readonly VerbDeclaration[] = [
  ...ENTRY_VERBS,
  ...KERNEL_VERBS,
  ...FIRMWARE_VERBS,
  ...SERVICE_VERBS,
  ...IMAGE_VERBS,
  ...KEY_VERBS,
];

/** Returns every option of a verb except those that all verbs have. */
export function optionsOf({ name, own = [] }: VerbDeclaration): readonly Option[] {
  return [...settingOptions(name), ...own, ...locationOptions(name)];
}

/** What the verbs of two words have in common, by their first word. */
export const GROUPS: Readonly<Record<string, string>> = {
  config: 'look at the settings that are in force',
  uki: 'build Unified Kernel Images by hand, and look into them',
  pcrlock: 'predict measurements for systemd-pcrlock',
  kernel: 'keep the kernels that packages install as generations',
  firmware: 'the boot entries of firmware',
  entry: 'what the boot loader starts once, or always',
  loader: 'what the boot loader does',
  keys: 'make the keys of Secure Boot, and have firmware take them',
  verity: 'make hash areas of dm-verity, check and sign them',
};
