/** The image with kernel, initrd and command line that starts a disk whose root hashes are known. */

import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { DESIGNATORS, type Designator, parsePartitionType } from '../gpt/partition-type.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import type { SignerFiles } from '../signer/pem.ts';
import type { Signer } from '../signer/signer.ts';
import { placeImage } from '../transaction/place-image.ts';
import {
  type BuildSettings,
  isVouchedFor,
  readBuildSettings,
  readUkifyConfig,
} from '../ukify/build-settings.ts';
import { withImage } from '../ukify/compose.ts';
import { initrdWarnings } from '../ukify/initrd.ts';
import { inputWarnings } from '../ukify/input-checks.ts';
import { inputsOn } from '../ukify/inputs.ts';
import { type DeviceOptions, verityWords } from '../verity/cmdline.ts';
import { areaBehind } from './hash-tree.ts';
import type { PlannedPartition } from './plan-image.ts';
import { settledBy } from './uki-options.ts';

/** What the image is made from. */
export interface UkiDescription {
  /** On its partition, as `/EFI/Linux/nixos_1.efi`. */
  readonly path: string;
  /** Whether it goes onto the XBOOTLDR partition. */
  readonly isOnXbootldr?: boolean;
  /** Options of `uki build`, without output and signature. */
  readonly options: RawSettings;
  /** The group whose root hash goes onto the command line, and how the system finds its parts. */
  readonly verity?:
    | { readonly group: string; readonly devices: Partial<DeviceOptions> }
    | undefined;
}

/** A root hash, and which file system it is of. */
export interface GroupHash {
  readonly designator: Designator;
  readonly rootHash: string;
  /** Where the hash area begins behind the data, in bytes. */
  readonly hashOffset?: number;
}

/** What an image is built with. */
export type UkiContext = Context & {
  readonly signer: Signer;
  /** The files of the signer’s key. */
  readonly key: SignerFiles | undefined;
  readonly warn: (warning: string) => void;
};

/**
 * Builds the image and writes it below `root` of the context's disk. The command line gets the root
 * hash. Throws as `uki build` does.
 */
export async function placeUki(
  { path, options, verity }: UkiDescription,
  groups: ReadonlyMap<string, GroupHash>,
  root: string,
  { key, warn, ...context }: UkiContext,
): Promise<void> {
  const { disk, processId, signer } = context;
  const output = `${root}${path}`;
  const settings = settingsFor({ ...options, output }, key, disk);
  const inputs = inputsOn(disk, isVouchedFor(settings));
  for (const warning of inputWarnings(settings, inputs, disk)) warn(`${path}: ${warning}`);
  const found = verity && groups.get(verity.group);
  const words = found === undefined ? [] : verityWords({ ...verity?.devices, ...found });
  await withImage(settings, inputs, { ...context, words }, async ({ layout }) => {
    disk.makeDirectory(dirname(output));
    await placeImage(layout, output, { disk, signer, processId, sources: inputs.seen });
  });
  const lacking = words.length > 0 ? await initrdWarnings(output, context) : [];
  for (const warning of lacking) warn(`${path}: ${warning}`);
}

/** Returns the settings in force. @throws {CONFIG_INVALID} for what a configuration file says in vain */
function settingsFor(
  options: RawSettings,
  key: SignerFiles | undefined,
  disk: Context['disk'],
): BuildSettings {
  const { config } = options;
  const configured = typeof config === 'string' ? readUkifyConfig(config, disk) : {};
  for (const name of Object.keys(configured)) {
    const hint = settledBy(name);
    if (hint === undefined) continue;
    throw new EspError('CONFIG_INVALID', `${config}: its ${name} does nothing in an image`, {
      hint,
    });
  }
  const signing = key && {
    'secureboot-private-key': key.privateKey,
    'secureboot-certificate': key.certificate,
  };
  return readBuildSettings({ ...options, ...signing }, disk);
}

/** Returns the root hashes of groups with the file system that the type of their partitions says. */
export function groupHashes(
  partitions: readonly PlannedPartition[],
  rootHashes: ReadonlyMap<string, string>,
): ReadonlyMap<string, GroupHash> {
  return new Map(
    partitions.flatMap(({ definition: { type, verity }, filling }) => {
      const rootHash = rootHashes.get(verity?.group ?? '');
      if (verity?.role !== 'data' || rootHash === undefined) return [];
      const designator = parsePartitionType(type)?.designator ?? DESIGNATORS[0];
      const hashOffset = verity.isBehind === true ? { hashOffset: areaBehind(filling.size) } : {};
      return [[verity.group, { designator, rootHash, ...hashOffset }] as const];
    }),
  );
}
