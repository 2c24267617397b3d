/** Reads one ESP and decides what it should become. */
import { lastValue } from '../bls.ts';
import type { Context } from '../context.ts';
import type { Disk, OpenFile } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { takeOver } from '../esp/adoption.ts';
import { type Inventory, scanInventory } from '../esp/inventory.ts';
import { ENTRIES_SREL, type EspPath, entryId, espPath } from '../esp/layout.ts';
import {
  EFI_VARIABLES,
  type LoaderVariable,
  loaderVariable,
  secureBoot,
} from '../loader/efi-variables.ts';
import { formatLoaderConf } from '../loader/loader-conf.ts';
import { matchesPattern } from '../loader/pattern.ts';
import { loaderIdentity } from '../loader/systemd-boot.ts';
import { decideLoader, type LoaderPlace } from '../loader/upgrade.ts';
import { nextOf } from '../plan/menu-order.ts';
import { plan } from '../plan/plan.ts';
import type { LoaderCopy, PlanInput } from '../plan/plan-input.ts';
import { doubles, type Roots, twins } from '../plan/roots.ts';
import type { Scope } from '../plan/scope.ts';
import type { Plan, Refusal } from '../plan/step.ts';
import type { Settings } from '../settings/settings.ts';
import { type Signer, unsigned } from '../signer/signer.ts';
import { matchExtras } from '../survey/extras.ts';
import { describeBroken } from '../survey/survey.ts';
import type { Survey } from '../survey/surveyed.ts';
import { type BootTree, scanBootTree } from '../volumes/boot-tree.ts';
import { comingFrom, type Removal, removalsFrom, withExtras } from './elsewhere.ts';
import { withGoodDefault, withKeptCounters } from './good-default.ts';
import { loaderDefault } from './loader-default.ts';
import { describeLost, loaderSettings } from './loader-settings.ts';

/** What is to be done to one ESP, and what a person should know about it. */
export interface EspDecision {
  readonly root: string;
  readonly plan: Plan | Refusal;
  /** What is to be removed from other partitions once that is done. */
  readonly removals: readonly Removal[];
  readonly warnings: readonly string[];
}

/** What a verb is after: how much it may do, and how closely it looks at what is there. */
export interface Purpose {
  readonly scope: Scope;
  /** Every byte is read, instead of names, sizes and headers. */
  readonly deep: boolean;
}

/** Surveys an ESP and plans for it. Touches nothing. `root` is where it is mounted. */
export async function decide(
  root: string,
  surveyed: Survey,
  context: Context,
  { scope, deep }: Purpose = { scope: 'all', deep: false },
): Promise<EspDecision> {
  const { settings } = surveyed;
  const { inventory: seen, elsewhere } = lookAt(root, settings, context);
  const examined = deep
    ? await (await import('../inspection/examination.ts')).examine(root, seen, context)
    : seen;
  const extras = matchExtras(root, surveyed, examined, context, deep);
  const inventory = { ...examined, extras: extras.own };
  if (inventory.layout !== undefined && inventory.layout !== 'type1') {
    throw new EspError(
      'FOREIGN_LAYOUT',
      `${pathOn(root, ENTRIES_SREL, context)}: expected type1, got ${JSON.stringify(inventory.layout)}`,
      { hint: 'another boot loader lays out this ESP; remove the file if that is no longer so' },
    );
  }
  const keepsDefault = settings['keep-default'] && settings['loader-conf'] !== undefined;
  const isGiven = keepsDefault || scope === 'gc';
  const lacking = lackingFiles(root, surveyed, context);
  const counted = withKeptCounters(surveyed, inventory);
  const withGood = isGiven
    ? counted
    : withGoodDefault(counted, inventory, new Set(lacking.map(({ id }) => id)));
  const survey = comingFrom(elsewhere, withGood, inventory);
  const variables = efiVariables(survey, context);
  await requireStartable(survey, variables, context);
  const loaders = await decideLoaders(root, survey, context);
  const id = survey.default;
  const variable = (name: LoaderVariable) =>
    variables && loaderVariable(context.disk, variables, name);
  const roots: Roots = {
    broken: new Set(survey.quarantined.map(({ number }) => number)),
    booted: survey.booted,
    selected: variable('LoaderEntrySelected'),
    counted: entryAt(variable('LoaderBootCountPath')),
    next: scope === 'gc' ? nextOf(inventory)?.id : undefined,
  };
  const { next, warnings: uncounted } = loaderDefault(survey, inventory, roots, loaders.version);
  const { kept, lost } = loaderSettings(survey, inventory, next, context);
  const conf = formatLoaderConf(kept, keepsDefault ? undefined : next);
  const input: PlanInput = {
    inventory,
    default: id,
    musts: survey.musts,
    wishes: survey.wishes,
    leftOut: survey.leftOut,
    roots,
    loaders: loaders.copies,
    loaderConf: new TextDecoder().decode(conf),
    reserve: settings.reserve,
    scope,
    extras,
  };
  const planned = plan(input);
  requireFiles(root, planned, context);
  const left = removalsFrom(withExtras(elsewhere, survey, context, deep), planned, {
    survey,
    roots,
    scope,
  });
  const told = (keepsDefault && lastValue(kept, 'default')) || id;
  return {
    root,
    plan: 'kind' in planned ? planned : { ...planned, default: told },
    removals: left.removals,
    warnings: [
      ...survey.warnings,
      ...(context.volumes?.warnings ?? []),
      ...left.warnings,
      ...survey.quarantined.map(describeBroken),
      ...loaders.warnings,
      ...twins(inventory).map(describeTwin),
      ...doubles(inventory).map(describeDouble),
      ...(keepsDefault || scope !== 'all' ? [] : uncounted),
      ...describeLost(lost),
      ...describeUnread(inventory),
      ...extras.warnings,
      ...lacking.map(({ id, path }) => `${id} does not boot: ${path} is not on the ESP`),
      ...(scope === 'repair' ? describeUnmended(planned, survey, inventory) : []),
      ...overrides(variables, id, context),
    ],
  };
}

/** Reads what is there, and takes over what another tool put there if that was asked for. */
function lookAt(root: string, settings: Settings, context: Context): BootTree {
  const token = settings['entry-token'];
  const scan = (disk: Disk, at: string) => {
    const inventory = scanInventory(disk, at, token);
    return settings.adopt ? takeOver(inventory, disk, at, token) : inventory;
  };
  return scanBootTree(root, scan, context);
}

/** Where a path is, for a person. */
function pathOn(root: string, path: EspPath, { volumes }: Context): string {
  return volumes?.locate(path) ?? `${root}/${path}`;
}

/** A rename replaces a link or a device of ours; a directory it cannot, and we remove none. */
function requireFiles(root: string, planned: Plan | Refusal, context: Context): void {
  const { disk } = context;
  if ('kind' in planned) return;
  const steps = planned.phases.flatMap((phase) => phase.steps);
  const found = steps.find(({ path }) => disk.linkStat(`${root}/${path}`)?.kind === 'directory');
  if (!found) return;
  const at = pathOn(root, found.path, context);
  throw new EspError('FOREIGN_LAYOUT', `${at}: expected a file, got a directory`, {
    hint: 'nothing was touched; move the directory away',
  });
}

/**
 * Where to read EFI variables: those of this machine matter when its own ESP is written, not when a
 * directory is filled for another's, or the system is not running.
 */
function efiVariables(
  { settings }: Survey,
  { environment, isElsewhere }: Context,
): string | undefined {
  const named = environment['ESPALIER_EFIVARS'];
  return named ?? (settings['allow-directory'] || isElsewhere ? undefined : EFI_VARIABLES);
}

/** The ID of the entry at a path as firmware writes one. */
function entryAt(path: string | undefined): string | undefined {
  return path && entryId(path.slice(path.lastIndexOf('\\') + 1));
}

/** What firmware would not start must not take the place of what it does start. */
async function requireStartable(
  { settings: { certificate }, signer }: Survey,
  variables: string | undefined,
  { disk }: Context,
): Promise<void> {
  if (variables === undefined || secureBoot(disk, variables) !== true) return;
  if (signer.fingerprint === unsigned.fingerprint) {
    throw new EspError(
      'SECURE_BOOT_UNSIGNED',
      'Secure Boot is on, and there is no key: what would be installed would not start',
      { hint: 'give --certificate and --private-key, or turn Secure Boot off in the firmware' },
    );
  }
  if (certificate === undefined) return;
  const { loadCertificate } = await import('../signer/pem.ts');
  const { firmwareTrusts } = await import('../inspection/firmware-trust.ts');
  if (firmwareTrusts(loadCertificate(certificate, disk), variables, disk) !== false) return;
  throw new EspError(
    'SECURE_BOOT_UNTRUSTED',
    `Secure Boot is on, and firmware does not know certificate ${certificate}: what would be installed would not start`,
    {
      hint: 'sign with a certificate that espalier keys status finds in firmware, or turn Secure Boot off until this one is enrolled',
    },
  );
}

/** A default set in an EFI variable wins over loader.conf, for as long as it is set. */
function overrides(variables: string | undefined, id: string, { disk }: Context): string[] {
  if (variables === undefined) return [];
  return (['LoaderEntryOneShot', 'LoaderEntryPreferred', 'LoaderEntryDefault'] as const).flatMap(
    (name) => {
      const value = loaderVariable(disk, variables, name);
      if (value === undefined || matchesPattern(value, id)) return [];
      return [
        `the EFI variable ${name} is ${JSON.stringify(value)} and overrides what was installed to boot next; clear it with \`bootctl set-${COMMANDS[name]} ''\``,
      ];
    },
  );
}

const COMMANDS = {
  LoaderEntryOneShot: 'oneshot',
  LoaderEntryPreferred: 'preferred',
  LoaderEntryDefault: 'default',
} as const;

/** What `install` leaves out for want of space is as it should be; what a repair leaves is still damaged. */
function describeUnmended(
  planned: Plan | Refusal,
  { wishes, leftOut }: Survey,
  { entries }: Inventory,
): string[] {
  if ('kind' in planned) return [];
  const listed = new Set(entries.map(({ id }) => id));
  const isListed = (name: string) =>
    wishes.some((wish) => wish.name === name && wish.entries.some(({ id }) => listed.has(id)));
  return planned.leftOut
    .filter((left) => !leftOut.includes(left) && isListed(left.generation))
    .map(({ generation, because }) => `generation ${generation} is not mended: ${because}`);
}

function describeTwin(path: EspPath): string {
  return `${path} shares its clusters with a temporary file since power was lost while it was renamed; both are left alone until fsck.fat -a has mended the ESP`;
}

function describeDouble(path: EspPath): string {
  return `${path} is there under another boot counter too, and is left alone: run fsck.fat -a on the ESP, then remove one of them`;
}

function describeUnread({ unread = 0 }: Inventory): string[] {
  if (unread === 0) return [];
  return [
    `${unread} entries of others are not read, there are too many: what they alone name is not kept`,
  ];
}

/** Files that wanted entries name, that others have to put on the ESP, and that are not there. */
function lackingFiles(
  root: string,
  { musts, wishes }: Survey,
  { disk }: Context,
): { readonly id: string; readonly path: EspPath }[] {
  const isThere = (path: EspPath) => disk.stat(`${root}/${path}`)?.kind === 'file';
  return [...musts, ...wishes].flatMap(({ entries }) =>
    entries.flatMap(({ id, others = [] }) =>
      others.filter((path) => !isThere(path)).map((path) => ({ id, path })),
    ),
  );
}

/** Which copies of the loader to write. A copy that would not start comes before one that would. */
async function decideLoaders(
  root: string,
  survey: Survey,
  { disk }: Context,
): Promise<{ copies: LoaderCopy[]; warnings: string[]; version: string }> {
  const { architecture, efiDirectory, signer, settings } = survey;
  const path = `${efiDirectory}/${architecture.loader}`;
  const source = readLoader(path, survey, disk);
  const signed = signer.fingerprint !== 'unsigned';
  const places: readonly [LoaderPlace, EspPath][] = [
    ['systemd', espPath('EFI', 'systemd', architecture.loader)],
    ['fallback', espPath('EFI', 'BOOT', architecture.fallback)],
  ];
  const copies: (LoaderCopy & { readonly starts: boolean })[] = [];
  const warnings: string[] = [];
  for (const [place, to] of places) {
    const found = await examine(`${root}/${to}`, signer, disk);
    const decision = decideLoader({ place, source, ...found, force: settings.force });
    if (decision.kind === 'leave-foreign') {
      warnings.push(`${to} is left alone: ${decision.because}`);
    } else if (decision.kind === 'replace') {
      const size = signed ? await signedSize(path, signer, disk) : source.size;
      copies.push({
        path: to,
        size,
        replaces: disk.linkStat(`${root}/${to}`)?.size ?? 0,
        content: { kind: signed ? 'signed' : 'file', path },
        because: decision.because,
        starts: found.installed.kind === 'systemd-boot' && found.signature !== 'invalid',
      });
    }
  }
  copies.sort((a, b) => Number(a.starts) - Number(b.starts));
  const { version } = source;
  return { copies: copies.map(({ starts: _starts, ...copy }) => copy), warnings, version };
}

function readLoader(path: string, { architecture }: Survey, disk: Context['disk']) {
  const hint =
    'install systemd-boot, or name the directory that holds lib/systemd/boot/efi with --systemd';
  if (!disk.stat(path)) {
    throw new EspError('CONFIG_INVALID', `${path}: there is no systemd-boot`, { hint });
  }
  const file = disk.open(path);
  try {
    const identity = loaderIdentity(file);
    if (identity.kind === 'systemd-boot' && identity.machine === architecture.machine) {
      return { version: identity.version, machine: identity.machine, size: file.size };
    }
    const got = identity.kind === 'systemd-boot' ? 'one for another processor' : identity.kind;
    throw new EspError('CONFIG_INVALID', `${path}: expected systemd-boot, got ${got}`, { hint });
  } finally {
    file.close();
  }
}

/** Looks at a copy of the loader on the ESP. */
async function examine(path: string, signer: Signer, disk: Context['disk']) {
  if (disk.linkStat(path)?.kind !== 'file') {
    return { installed: { kind: 'absent' }, signature: 'not-checked' } as const;
  }
  const file = disk.open(path);
  try {
    const installed = loaderIdentity(file);
    const checked = signer.fingerprint !== 'unsigned' && installed.kind === 'systemd-boot';
    return { installed, signature: checked ? await judge(file, signer) : 'not-checked' } as const;
  } finally {
    file.close();
  }
}

// Cryptography is loaded by the runs that sign: it costs as much as all the rest of an idle one.
async function judge(file: OpenFile, signer: Signer): Promise<'valid' | 'invalid'> {
  const { judgeSignature } = await import('../inspection/signature.ts');
  return judgeSignature(file, signer);
}

async function signedSize(path: string, signer: Signer, disk: Context['disk']): Promise<number> {
  const realise = await import('../recipe/recipe.ts');
  return realise.signedSize(path, disk, signer);
}
