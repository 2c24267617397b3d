/** Fills the ESP of an image: files, the boot loader, images, and boot entries as `install` makes them. */
import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { temporaryName } from '../esp/temporary-name.ts';
import { partitionTypeName } from '../gpt/partition-type.ts';
import { architecture as architectureOf } from '../loader/architecture.ts';
import { pass } from '../pass/pass.ts';
import type { RawFile } from '../process/machine.ts';
import { checkSettings } from '../settings/settings.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import { carryOut, taskFor } from '../signing/task.ts';
import { openSurveyor } from '../survey/surveyor.ts';
import type { Log } from '../terminal/log.ts';
import type { RootHashes } from './build-image.ts';
import type { EspDescription, FinishedUki, InstallDescription } from './esp-description.ts';
import { groupHashes, placeUki } from './image-uki.ts';
import { putTree, withNewEsp } from './new-esp.ts';
import type { PlannedPartition } from './plan-image.ts';

/** What filling an ESP is given. */
export interface EspFilling {
  readonly description: EspDescription;
  readonly image: RawFile;
  /** How messages call the image. */
  readonly name: string;
  readonly time: number;
  /** The first part of a system double, as `x86_64`. */
  readonly processor: string;
  readonly signer: Signer;
  readonly context: Context;
  readonly log: () => Promise<Log>;
  readonly warn: (warning: string) => void;
}

/**
 * Fills every FAT of an image. The first ESP gets what the description says besides its files. Throws
 * as `install` and `uki build` do.
 */
export async function fillFats(
  partitions: readonly PlannedPartition[],
  rootHashes: RootHashes,
  filling: EspFilling,
): Promise<void> {
  const esp = partitions.find(isEsp);
  const groups = groupHashes(partitions, rootHashes);
  for (const [index, partition] of partitions.entries()) {
    const { filling: content, place, label } = partition;
    if (content.kind !== 'fat') continue;
    const root = `${filling.name}#${index + 1}`;
    const { image, time } = filling;
    filling.context.progress?.begin(`filling ${label}`);
    const context = withNewEsp(
      { image, place, label, uuid: content.uuid, time, root },
      filling.context,
    );
    await putTree(content.tree, root, context);
    if (partition !== esp) continue;
    await putLoader(filling, root, context);
    for (const uki of filling.description.ukis) {
      if ('source' in uki) await copyUki(uki, root, context);
      else await placeUki(uki, groups, root, { ...context, signer: filling.signer });
    }
    const { install } = filling.description;
    if (install !== undefined) await putEntries(install, filling, root, context);
  }
}

/** Returns whether a partition is an ESP that is filled here. */
function isEsp({ definition, isDeferred }: PlannedPartition): boolean {
  return partitionTypeName(definition.type) === 'esp' && !isDeferred;
}

/** Puts systemd-boot where firmware looks for it, and where `bootctl` updates it. */
async function putLoader(
  { description: { systemd, loaderConf }, processor, signer }: EspFilling,
  root: string,
  context: Context,
): Promise<void> {
  if (systemd === undefined) return;
  const { disk } = context;
  const { loader, fallback } = architectureOf(`${processor}-linux`);
  const source = `${systemd}/lib/systemd/boot/efi/${loader}`;
  if (disk.stat(source)?.kind !== 'file') {
    throw new EspError('FILE_MISSING', `${source}: there is no systemd-boot`, {
      hint: 'install systemd-boot, or name the directory that holds lib/systemd/boot/efi',
    });
  }
  for (const path of [`EFI/systemd/${loader}`, `EFI/BOOT/${fallback}`]) {
    const output = `${root}/${path}`;
    disk.makeDirectory(dirname(output));
    if (isUnsigned(signer)) await disk.copy(source, output);
    else await carryOut([taskFor(source, output, { signer, targets: [] }, disk)], signer, context);
  }
  disk.makeDirectory(`${root}/loader`);
  await disk.replaceText(`${root}/loader/loader.conf`, loaderConf);
}

/** Puts an image where one that is built here would be, by the same steps. */
async function copyUki(
  { path, source }: FinishedUki,
  root: string,
  { disk, processId }: Context,
): Promise<void> {
  const output = `${root}${path}`;
  const directory = dirname(output);
  const temporary = `${directory}/${temporaryName(processId, 0)}`;
  disk.makeDirectory(directory);
  await disk.copy(source, temporary);
  // SAFETY: the image is in the making, and no machine boots from it yet.
  disk.rename(temporary, output);
}

/** Does what `install --esp` does, with the profiles of the machine that makes the image. */
async function putEntries(
  { settings: raw, toplevel }: InstallDescription,
  { log, warn }: EspFilling,
  root: string,
  context: Context,
): Promise<void> {
  const given = { ...raw, esp: [root], 'allow-directory': true };
  const settings = checkSettings(given, 'install', context.disk);
  using surveyor = await openSurveyor(settings, toplevel, context);
  for (const caution of surveyor.known().cautions) warn(caution);
  const [outcome] = await pass([root], surveyor, {
    ...{ verb: 'install', context, log, tellsChanges: false },
    lockTimeout: settings['lock-timeout'],
  });
  for (const warning of outcome?.warnings ?? []) warn(warning);
  if (outcome?.failure !== undefined) throw outcome.failure;
}
