/** Fills the ESP of an image: files, the boot loader, images, and boot entries as `install` makes them. */

import { dirname } from 'node:path';
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { temporaryName } from '../esp/temporary-name.ts';
import { partitionTypeName } from '../gpt/partition-type.ts';
import { architecture as architectureOf } from '../loader/architecture.ts';
import { loaderIdentity, xbootldrFault } from '../loader/systemd-boot.ts';
import { pass } from '../pass/pass.ts';
import type { RawFile } from '../process/machine.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { checkSettings } from '../settings/settings.ts';
import type { SignerFiles } from '../signer/pem.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import { carryOut, taskFor } from '../signing/task.ts';
import { openSurveyor } from '../survey/surveyor.ts';
import type { Log } from '../terminal/log.ts';
import type { RootHashes } from './build-image.ts';
import type { EspDescription, FinishedUki, InstallDescription } from './esp-description.ts';
import { type GroupHash, groupHashes, placeUki } from './image-uki.ts';
import { putTree, withNewEsp } from './new-esp.ts';
import type { PlannedPartition } from './plan-image.ts';

/** What filling an ESP is given. */
export interface EspFilling {
  readonly description: EspDescription;
  readonly image: RawFile;
  /** Of the disk, in bytes. */
  readonly sectorSize: number;
  /** How messages call the image. */
  readonly name: string;
  readonly time: number;
  /** The first part of a system double, as `x86_64`. */
  readonly processor: string;
  readonly signer: Signer;
  /** The files of the signer’s key; undefined where nothing is signed. */
  readonly key: SignerFiles | undefined;
  readonly context: Context;
  readonly log: () => Promise<Log>;
  readonly warn: (warning: string) => void;
}

/** Where the FATs of an image are shown that get more than their files. */
interface Roots {
  readonly esp?: string | undefined;
  readonly xbootldr?: string | undefined;
}

/**
 * Fills every FAT of an image. The first ESP and the first XBOOTLDR partition get what the description
 * says besides their files. Throws as `install` and `uki build` do.
 */
export async function fillFats(
  partitions: readonly PlannedPartition[],
  rootHashes: RootHashes,
  filling: EspFilling,
): Promise<void> {
  const groups = groupHashes(partitions, rootHashes);
  let context = filling.context;
  const rootOf = new Map<PlannedPartition | undefined, string>();
  for (const [index, partition] of partitions.entries()) {
    const { filling: content, place, label } = partition;
    if (content.kind !== 'fat') continue;
    const root = `${filling.name}#${index + 1}`;
    const { image, time, sectorSize } = filling;
    context.progress?.begin(`filling ${label}`);
    const fat = { image, place, sectorSize, label, uuid: content.uuid, time, root };
    context = withNewEsp(fat, context);
    await putTree(content.tree, root, context);
    rootOf.set(partition, root);
  }
  const [esp, xbootldr] = [isFilledEsp, isFilledXbootldr].map((is) =>
    rootOf.get(partitions.find(is)),
  );
  await putBoot({ esp, xbootldr }, groups, filling, context);
}

async function putBoot(
  { esp, xbootldr }: Roots,
  groups: ReadonlyMap<string, GroupHash>,
  filling: EspFilling,
  context: Context,
): Promise<void> {
  const { signer, key, warn, description } = filling;
  if (esp !== undefined) await putLoader(filling, esp, context);
  for (const uki of description.ukis) {
    const root = uki.isOnXbootldr === true ? xbootldr : esp;
    if (root === undefined) continue;
    if ('source' in uki) await copyUki(uki, root, context);
    else await placeUki(uki, groups, root, { ...context, signer, key, warn });
  }
  const { install } = description;
  if (install !== undefined && esp !== undefined)
    await putEntries(install, filling, { esp, xbootldr }, context);
  const hasEntries = install !== undefined || description.ukis.some((uki) => uki.isOnXbootldr);
  if (hasEntries) requireFoundXbootldr({ esp, xbootldr }, filling, context);
}

/** Refuses entries that the boot loader of the image does not find, whoever brought it. @throws {CONFIG_INVALID} */
function requireFoundXbootldr(
  { esp, xbootldr }: Roots,
  { processor, sectorSize }: EspFilling,
  { disk }: Context,
): void {
  const loader = `${esp}/EFI/BOOT/${architectureOf(`${processor}-linux`).fallback}`;
  if (xbootldr === undefined || disk.stat(loader)?.kind !== 'file') return;
  using file = disk.open(loader);
  const identity = loaderIdentity(file);
  const fault =
    identity.kind === 'systemd-boot' ? xbootldrFault(identity.version, sectorSize) : undefined;
  if (fault === undefined) return;
  throw new EspError('CONFIG_INVALID', `${xbootldr}: ${fault}`, {
    hint: 'name a newer systemd, or leave the XBOOTLDR partition out: entries are then on the ESP',
  });
}

/** Returns whether a partition is an ESP that is filled here. */
export function isFilledEsp(partition: PlannedPartition): boolean {
  return isFilled(partition, 'esp');
}

/** Returns whether a partition is for boot entries beside an ESP, and filled here. */
export function isFilledXbootldr(partition: PlannedPartition): boolean {
  return isFilled(partition, 'xbootldr');
}

function isFilled({ definition, isDeferred }: PlannedPartition, type: string): boolean {
  return partitionTypeName(definition.type) === type && !isDeferred;
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
  { key, log, warn }: EspFilling,
  { esp, xbootldr }: Roots & { readonly esp: string },
  context: Context,
): Promise<void> {
  const place = { esp: [esp], ...(xbootldr && { xbootldr }), 'allow-directory': true };
  const given = { ...signing(raw, key), ...raw, ...place };
  const settings = checkSettings(given, 'install', context.disk);
  using surveyor = await openSurveyor(settings, toplevel, context);
  for (const caution of surveyor.known().cautions) warn(caution);
  const [outcome] = await pass([esp], surveyor, {
    ...{ verb: 'install', context, log, tellsChanges: false },
    lockTimeout: settings['lock-timeout'],
  });
  for (const warning of outcome?.warnings ?? []) warn(warning);
  if (outcome?.failure !== undefined) throw outcome.failure;
}

/** Returns the key of the image as settings, unless they have one of their own. */
function signing(settings: RawSettings, key: SignerFiles | undefined): RawSettings {
  const own = ['certificate', 'private-key', 'signing-command', 'signatures', 'allow-unsigned'];
  if (key === undefined || own.some((name) => name in settings)) return {};
  const { certificate, privateKey, allowInsecureKey } = key;
  return { certificate, 'private-key': privateKey, 'allow-insecure-key': allowInsecureKey };
}
