/** Reads one ESP into one view: all that a decision, a status and a verification depend on. */
import { type Context, isElsewhere } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { takeOver } from '../esp/adoption.ts';
import type { Inventory } from '../esp/inventory.ts';
import { takeOverKernels } from '../esp/kernel-install.ts';
import type { EspPath } from '../esp/layout.ts';
import { lookupOn } from '../esp/lookup.ts';
import { type OwnSystems, setNeighboursApart } from '../esp/neighbours.ts';
import { scanInventory } from '../esp/scan-inventory.ts';
import { withStartFaults } from '../esp/start-faults.ts';
import type { Target } from '../esp/target.ts';
import type { Architecture } from '../loader/architecture.ts';
import { EFI_VARIABLES, loaderVariable } from '../loader/efi-variables.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import { IMAGE_KINDS } from '../plan/images.ts';
import { keyOf } from '../plan/present.ts';
import type { EspView, FirmwareView } from '../plan/view.ts';
import { entriesOf, type WantedEntry } from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import { isUnsigned, type Verifier } from '../signer/signer.ts';
import type { PolicyRule } from '../survey/policies.ts';
import type { Survey } from '../survey/surveyed.ts';
import { scanBootTree } from './boot-tree.ts';
import type { Made } from './comparison.ts';
import { type Closeness, viewExtras } from './extra-views.ts';
import { askFor } from './firmware-demands.ts';
import { viewFirmware } from './firmware-view.ts';
import { judgingFor, viewLoaders } from './loader-views.ts';

/** What to look for on an ESP, and how closely. */
export interface Look {
  readonly settings: Settings;
  /** Reads every byte, instead of names, sizes and headers. */
  readonly deep: boolean;
  /** Whether files that another tool installed count as ours. */
  readonly adopts: boolean;
  /** The releases of the installed kernels that are wanted: their entries of another tool are replaced. */
  readonly releases?: readonly string[];
  /** What tells entries of this machine from another's, where that is asked. */
  readonly ownSystems?: OwnSystems | undefined;
  readonly declared: readonly DeclaredExtra[];
  readonly closeness: Closeness;
  /** Paths that wanted entries name although another program has to put the file there. */
  readonly named: readonly EspPath[];
  readonly architecture: Architecture;
  /** Judges the loaders; absent when nothing is signed. */
  readonly verifier: Verifier | undefined;
  /** The version of the boot loader that may be installed; absent where none is. */
  readonly brought?: string;
  /** Whose policies for PCR 11 images should carry; absent where nobody asks. */
  readonly policies?: PolicyRule | undefined;
  /** What is wanted, by which policies are judged without reading whole images. */
  readonly wanted?: readonly WantedEntry[];
  /** Path of the boot loader that would be installed; absent where nobody asks for that. */
  readonly brings?: string;
  /** What unsigned files are held against; absent where that is not known, or not asked. */
  readonly made?: Made | undefined;
}

/** Returns how to look at an ESP that a survey's wishes are for. */
export function lookFor(survey: Survey, deep = false): Look {
  const { settings, signer, architecture, extras } = survey;
  return {
    settings,
    deep,
    adopts: settings.adopt,
    releases: [...survey.musts, ...survey.wishes].flatMap(({ release }) => release ?? []),
    ownSystems: survey.ownSystems,
    declared: extras,
    closeness: deep ? 'bytes' : 'decisive',
    named: [...entriesOf(survey), ...extras].flatMap(({ others = [] }) => others),
    architecture,
    verifier: isUnsigned(signer) ? undefined : signer,
    brought: survey.loader.version,
    policies: survey.policies,
    wanted: entriesOf(survey),
    brings: survey.loader.path,
    made: deep ? madeOf(survey) : undefined,
  };
}

/** Returns what would be installed without a signature; undefined where a signature vouches for it. */
export function madeOf(survey: Survey): Made | undefined {
  if (!isUnsigned(survey.signer)) return undefined;
  return { loader: survey.loader, entries: entriesOf(survey) };
}

/**
 * Returns how to look at an ESP when no survey says what it should become.
 * @throws {KEY_INVALID} when the certificate file of the settings holds none
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

/** Each source of generations has its own predecessors. */
function adopted(
  found: Inventory,
  { settings, releases = [] }: Look,
  disk: Disk,
  root: string,
): Inventory {
  const token = settings['entry-token'];
  if (releases.length === 0) return takeOver(found, disk, root, token);
  return takeOverKernels(found, disk, root, { token, releases });
}

/**
 * Reads an ESP. Touches nothing.
 * @throws {ESP_NOT_MOUNTED} {FOREIGN_LAYOUT} and what reading files throws
 */
export async function readEsp(target: Target, look: Look, context: Context): Promise<EspView> {
  const { root, xbootldr, tree, disk, warnings } = target;
  const token = look.settings['entry-token'];
  const variables = variablesFor(look, context);
  const { demands, judging } = await askFor(look, variables, context);
  const { inventory: scanned, elsewhere } = scanBootTree(target, (from, at) => {
    const found = scanInventory(from, at, token, IMAGE_KINDS, demands);
    const taken = look.adopts ? adopted(found, look, from, at) : found;
    const { ownSystems } = look;
    return withStartFaults(
      ownSystems ? setNeighboursApart(taken, ownSystems, context.disk) : taken,
    );
  });
  const seen = { inventory: scanned, loaders: await viewLoaders(target, judging) };
  const looked = look.deep ? await examined(target, seen, look, context) : seen;
  const { loaders } = looked;
  const inventory = await withPolicies(target, looked.inventory, look);
  const wanting = { token, declared: look.declared, closeness: look.closeness };
  return {
    root,
    xbootldr,
    sectorSize: target.sectorSize,
    inventory,
    partitions: target.partitions,
    elsewhere: elsewhere.map((volume) => ({
      ...volume,
      extras: viewExtras(volume.root, { ...wanting, declared: [] }, volume.inventory, disk),
    })),
    loaders,
    extras: viewExtras(root, wanting, inventory, tree),
    absent: absentFrom(target, look, inventory),
    firmware: await firmwareFor(target, { look, loaders, variables }, context),
    warnings,
  };
}

type Seen = Pick<EspView, 'inventory' | 'loaders'>;

async function examined(
  target: Target,
  { inventory, loaders }: Seen,
  { made }: Look,
  context: Context,
): Promise<Seen> {
  const { examine } = await import('./examination.ts');
  const found = { inventory: await examine(target, inventory, context), loaders };
  const { holdAgainst, holdCopies } = await import('./comparison.ts');
  if (made === undefined) return { ...found, loaders: holdCopies(loaders, target) };
  return holdAgainst(found, made, target, context.disk);
}

async function withPolicies(target: Target, inventory: Inventory, look: Look): Promise<Inventory> {
  const { policies: rule, wanted: entries = [], deep } = look;
  if (rule === undefined) return inventory;
  const { viewPolicies } = await import('./policy-views.ts');
  return viewPolicies(inventory, target, { rule, entries, deep });
}

/** Returns the named paths that are not there. A file of the inventory is there. */
function absentFrom(
  { root, tree }: Target,
  { named }: Look,
  { blobs, entries }: Inventory,
): ReadonlySet<EspPath> {
  const known = new Set(blobs.map(({ path }) => keyOf(path)));
  const asked = new Set([...named, ...entries.flatMap(({ references }) => references)]);
  const kindOf = lookupOn(tree, root);
  const isFile = (path: EspPath) => {
    const kind = kindOf(path);
    // A directory that stands in for an ESP may have links.
    return kind === 'file' || (kind === 'link' && tree.stat(`${root}/${path}`)?.kind === 'file');
  };
  const isAbsent = (path: EspPath) => !known.has(keyOf(path)) && !isFile(path);
  return new Set([...asked].filter(isAbsent));
}

/** EFI variables of this machine say nothing about a directory that is filled for another machine. */
function variablesFor({ settings }: Look, context: Context): string | undefined {
  const given = context.environment['ESPALIER_EFIVARS'];
  const isOther = settings['allow-directory'] || isElsewhere(context);
  return given ?? (isOther ? undefined : EFI_VARIABLES);
}

async function firmwareFor(
  { root, tree, partitions }: Target,
  { look, loaders: [, fallback], variables }: Asking,
  { disk }: Context,
): Promise<FirmwareView | undefined> {
  if (variables === undefined) return undefined;
  const { settings, brings } = look;
  const from = loaderVariable(disk, variables, 'LoaderDevicePartUUID')?.toLowerCase();
  // A machine that came from here comes from here. Each boot entry is a variable of its own, and slow to read.
  const isReached = partitions.length === 0 || (from !== undefined && partitions.includes(from));
  const asksOptions = fallback?.installed.kind === 'foreign' || !isReached;
  const question = { certificate: settings.certificate, asksOptions, brings };
  const view = await viewFirmware(question, variables, disk);
  const isFile = (path: string) =>
    tree.stat(`${root}${path.replaceAll('\\', '/')}`)?.kind === 'file';
  const bootOptions = view.bootOptions?.map((option) => ({
    ...option,
    isThere: option.path?.startsWith('\\') === true && isFile(option.path),
  }));
  return { ...view, bootOptions };
}

/** What is asked of firmware, and about which loaders. */
interface Asking {
  readonly look: Look;
  readonly loaders: EspView['loaders'];
  readonly variables: string | undefined;
}
