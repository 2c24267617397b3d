/** Reads one ESP: all that a decision, a status and a verification depend on, in one place. */
import { type Context, isElsewhere } from '../context.ts';
import { takeOver } from '../esp/adoption.ts';
import type { Inventory } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import { scanInventory } from '../esp/scan-inventory.ts';
import type { Target } from '../esp/target.ts';
import type { Architecture } from '../loader/architecture.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import { IMAGE_KINDS } from '../plan/images.ts';
import { keyOf } from '../plan/present.ts';
import type { EspView, FirmwareView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import { isUnsigned, type Verifier } from '../signer/signer.ts';
import type { Survey } from '../survey/surveyed.ts';
import { scanBootTree } from './boot-tree.ts';
import { type Closeness, viewExtras } from './extra-views.ts';
import { viewFirmware } from './firmware-view.ts';
import { judgingFor, viewLoaders } from './loader-views.ts';

/** What is looked for on an ESP, and how closely. */
export interface Look {
  readonly settings: Settings;
  /** Every byte is read, instead of names, sizes and headers. */
  readonly deep: boolean;
  /** Whether to count as ours what another tool installed. */
  readonly adopts: boolean;
  readonly declared: readonly DeclaredExtra[];
  readonly closeness: Closeness;
  /** Paths that wanted entries name and where others have to put a file. */
  readonly named: readonly EspPath[];
  readonly architecture: Architecture;
  /** Judges the loaders; absent when nothing is signed. */
  readonly verifier: Verifier | undefined;
}

/** Returns how to look at an ESP that is to become what a survey wants. */
export function lookFor(survey: Survey, deep = false): Look {
  const { settings, signer, architecture, extras, musts, wishes } = survey;
  const entries = [...musts, ...wishes].flatMap((generation) => generation.entries);
  return {
    settings,
    deep,
    adopts: settings.adopt,
    declared: extras,
    closeness: deep ? 'bytes' : 'decisive',
    named: entries.flatMap(({ others = [] }) => others),
    architecture,
    verifier: isUnsigned(signer) ? undefined : signer,
  };
}

/**
 * Returns how to look at an ESP of which nobody knows what it should become.
 * @throws {KEY_INVALID} when the certificate of the settings is none
 */
export async function lookAlone(settings: Settings, context: Context, deep = false): Promise<Look> {
  return {
    settings,
    deep,
    adopts: false,
    declared: [],
    closeness: deep ? 'bytes' : 'sizes',
    named: [],
    ...(await judgingFor(settings, context)),
  };
}

/**
 * Reads an ESP. Touches nothing.
 * @throws {ESP_NOT_MOUNTED} {FOREIGN_LAYOUT} and what reading files throws
 */
export async function readEsp(target: Target, look: Look, context: Context): Promise<EspView> {
  const { root, xbootldr, tree, disk, warnings } = target;
  const token = look.settings['entry-token'];
  const { inventory: scanned, elsewhere } = scanBootTree(target, (from, at) => {
    const found = scanInventory(from, at, token, IMAGE_KINDS);
    return look.adopts ? takeOver(found, from, at, token) : found;
  });
  const inventory = look.deep ? await examined(target, scanned, context) : scanned;
  const wanting = { token, declared: look.declared, closeness: look.closeness };
  return {
    root,
    xbootldr,
    inventory,
    elsewhere: elsewhere.map((volume) => ({
      ...volume,
      extras: viewExtras(volume.root, { ...wanting, declared: [] }, volume.inventory, disk),
    })),
    loaders: await viewLoaders(target, look),
    extras: viewExtras(root, wanting, inventory, tree),
    absent: absentFrom(target, look, inventory),
    firmware: await firmwareFor(look, context),
    warnings,
  };
}

async function examined(
  target: Target,
  inventory: Inventory,
  context: Context,
): Promise<Inventory> {
  const { examine } = await import('./examination.ts');
  return examine(target, inventory, context);
}

/** Returns the paths that entries name and where there is no file. What the inventory has is there. */
function absentFrom(
  { root, tree }: Target,
  { named }: Look,
  { blobs, entries }: Inventory,
): ReadonlySet<EspPath> {
  const known = new Set(blobs.map(({ path }) => keyOf(path)));
  const asked = new Set([...named, ...entries.flatMap(({ references }) => references)]);
  const isAbsent = (path: EspPath) =>
    !known.has(keyOf(path)) && tree.stat(`${root}/${path}`)?.kind !== 'file';
  return new Set([...asked].filter(isAbsent));
}

/** EFI variables of this machine say nothing about a directory that is filled for another's ESP. */
async function firmwareFor(
  { settings }: Look,
  context: Context,
): Promise<FirmwareView | undefined> {
  const isOther = settings['allow-directory'] || isElsewhere(context);
  if (isOther && context.environment['ESPALIER_EFIVARS'] === undefined) return undefined;
  return viewFirmware(settings.certificate, context);
}
