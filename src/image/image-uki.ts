/** The image with kernel, initrd and command line that starts a disk whose root hashes are known. */
import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { DESIGNATORS, type Designator, parsePartitionType } from '../gpt/partition-type.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import { placeImage } from '../transaction/place-image.ts';
import { buildLayout } from '../uki/build.ts';
import { withVerityWords } from '../uki/verity-cmdline.ts';
import { type BuildSettings, readBuildSettings } from '../ukify/build-settings.ts';
import { initrdByDracut } from '../ukify/dracut.ts';
import { inputsOn } from '../ukify/inputs.ts';
import { gatherParts } from '../ukify/parts.ts';
import { releaseOf } from '../ukify/release.ts';
import { type DeviceOptions, verityWords } from '../verity/cmdline.ts';
import { areaBehind, type PlannedPartition } from './plan-image.ts';

/** What the image is made from. */
export interface UkiDescription {
  /** On the ESP, as `/EFI/Linux/nixos_1.efi`. */
  readonly path: string;
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

/**
 * Builds the image and writes it below `root` of the context's disk. The command line gets the root
 * hash. Throws as `uki build` does.
 */
export async function placeUki(
  { path, options, verity }: UkiDescription,
  groups: ReadonlyMap<string, GroupHash>,
  root: string,
  { signer, ...context }: Context & { readonly signer: Signer },
): Promise<void> {
  const { disk, processId } = context;
  const output = `${root}${path}`;
  const inputs = inputsOn(disk, !isUnsigned(signer));
  const settings = await withRelease(
    { ...readBuildSettings({ ...options, output }, disk), output },
    context,
  );
  const found = verity && groups.get(verity.group);
  const words = found === undefined ? [] : verityWords({ ...verity?.devices, ...found });
  const dracut = await initrdByDracut(settings, context);
  try {
    const initrd = dracut === undefined ? settings.initrd : [dracut.path, ...settings.initrd];
    const parts = gatherParts({ ...settings, initrd }, inputs, {
      disk,
      signer,
      policyKey: undefined,
    });
    const layout = buildLayout(words.length > 0 ? withVerityWords(parts, words) : parts);
    disk.makeDirectory(dirname(output));
    await placeImage(layout, output, { disk, signer, processId, sources: inputs.seen });
  } finally {
    dracut?.remove();
  }
}

async function withRelease(settings: BuildSettings, context: Context): Promise<BuildSettings> {
  const { linux, uname } = settings;
  if (linux === undefined || uname !== undefined) return settings;
  const release = await releaseOf(linux, context);
  return release === undefined ? settings : { ...settings, uname: release };
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
