/**
 * `status`: shows what runs, what boots next, whether the profile wants it, the loader, the space.
 */

import type { Context } from '../context.ts';
import { EspError, EXIT_USAGE, EXIT_WARNINGS, explain } from '../error.ts';
import { allocated } from '../esp/space.ts';
import type { Malformed } from '../generation/generation.ts';
import { lookAlone, lookFor } from '../inspection/read-esp.ts';
import {
  type Difference,
  differencesFrom,
  driftOf,
  openWanted,
  type Wanted,
} from '../pass/drift.ts';
import { readEsps } from '../pass/read-esps.ts';
import { lacksOurs, loaderStatus, statusesOf } from '../plan/loader-status.ts';
import { type MenuEntry, menuOf, type SharedImage, sharedImages } from '../plan/menu.ts';
import { isBad } from '../plan/menu-order.ts';
import { overrides } from '../plan/next-boot.ts';
import { type Note, notesOf } from '../plan/notes.ts';
import { startedPrevious } from '../plan/running-loader.ts';
import { notReached, refusals, startedElsewhere } from '../plan/startable.ts';
import type { EspView } from '../plan/view.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { type KnownSystems, readSystems } from '../survey/systems.ts';
import { printable } from '../terminal/printable.ts';
import { formatSize } from '../terminal/size.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { expected, requireTarget } from '../volumes/esp-roots.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { brokenOf, renderBroken } from './broken.ts';
import type { EspStatus, Problem, SeenEsp, Status } from './status-document.ts';

/** Shows the status of every ESP. The exit status says whether something has drifted. */
export async function status({ flags, json }: Invocation, given: Context): Promise<number> {
  // The survey reads the same generations once more: they are remembered from here to there.
  const remembering = { ...given, generations: new Map() };
  const { disk, environment, print } = remembering;
  const { metrics, ...others } = flags;
  if (others['format'] === 'prometheus') {
    throw new EspError('CONFIG_INVALID', '--format: expected a kind of entries, got prometheus', {
      hint: 'for the metrics use --metrics',
    });
  }
  using ground = await groundFor(await readSettings(others, environment, disk), remembering);
  const { settings, context } = ground;
  const systems = readSystems(settings, context);
  const { running, booted, current, currentBoots } = systems;
  const { esps, malformed } = await describeEsps(systems, settings, context);
  const broken = brokenOf(malformed);
  const found: Status = {
    booted: running,
    current,
    bootedIsCurrent: booted && current ? currentBoots.includes(booted) : undefined,
    ...(broken.length > 0 ? { broken } : {}),
    esps,
  };
  if (metrics === true) print((await import('./metrics.ts')).formatMetrics(found));
  else if (json) print(JSON.stringify({ version: 1, verb: 'status', ...found }, undefined, 2));
  else print(render(found));
  return broken.length > 0 || esps.some(needsLook) ? EXIT_WARNINGS : 0;
}

/**
 * Compares with the profiles; compares mirrors with the primary where the profiles are not known.
 */
function needsLook(status: EspStatus): boolean {
  if (status.problem || !('entries' in status)) return true;
  const { nextIsCurrent, nextIsBad, damaged, neighbours, firmware, loaders } = status;
  const { fromProfiles, fromPrimary } = status;
  if (neighbours !== undefined || firmware !== undefined) return true;
  if (loaders.some(({ problem }) => problem !== undefined)) return true;
  const differs = (fromProfiles ?? fromPrimary ?? []).length > 0;
  return nextIsCurrent === false || nextIsBad || damaged > 0 || differs;
}

async function describeEsps(
  systems: KnownSystems,
  settings: Settings,
  context: Context,
): Promise<{ readonly esps: readonly EspStatus[]; readonly malformed: readonly Malformed[] }> {
  using wanted = await openWanted(settings, context);
  const look = 'survey' in wanted ? lookFor(wanted.survey) : await lookAlone(settings, context);
  const esps: EspStatus[] = [];
  let primary: EspView | undefined;
  for (const [index, { root, ...read }] of (await readEsps(settings, look, context)).entries()) {
    if (read.failure) {
      esps.push({ esp: root, problem: problemOf(read.failure) });
      continue;
    }
    const { view } = read;
    const fromPrimary = primary && differencesFrom(primary, view);
    if (index === 0) primary = view;
    const drift = drifted(view, wanted, settings, context);
    esps.push({ ...describeEsp(view, systems, settings), fromPrimary, ...drift });
  }
  const malformed = 'survey' in wanted ? wanted.survey.quarantined : systems.malformed;
  return { esps, malformed };
}

function problemOf(failure: EspError): Problem {
  return { code: failure.code, message: explain(failure), hint: failure.hint };
}

/**
 * Returns what differs from what the profiles want, and what would keep `install` from mending it.
 */
function drifted(
  view: EspView,
  wanted: Wanted,
  settings: Settings,
  context: Context,
): Pick<SeenEsp, 'fromProfiles' | 'leftOut' | 'problem'> {
  const drift = driftOf(view, wanted);
  const failure =
    writeFailure(view.root, settings, context) ?? ('failure' in drift ? drift.failure : undefined);
  // A usage error means that there is no key or no profile, as on a rescue system: nothing to
  // compare.
  const isProblem = failure && failure.status !== EXIT_USAGE;
  return {
    fromProfiles: 'failure' in drift ? undefined : drift.differences,
    leftOut: 'failure' in drift ? [] : drift.leftOut.map(({ generation }) => generation),
    ...(isProblem ? { problem: problemOf(failure) } : {}),
  };
}

function writeFailure(root: string, settings: Settings, context: Context): EspError | undefined {
  try {
    requireTarget(root, settings, context, 'write');
    return undefined;
  } catch (error) {
    return expected(error);
  }
}

/** What firmware says against this ESP. */
function firmwareOf(view: EspView, next: string | undefined): Pick<SeenEsp, 'firmware'> {
  const told = [
    ...refusals(view.firmware),
    ...startedElsewhere(view),
    ...startedPrevious(view),
    ...notReached(view),
    ...(next === undefined ? [] : overrides(view.firmware, next)),
  ];
  return told.length > 0 ? { firmware: told } : {};
}

function describeEsp(
  view: EspView,
  systems: KnownSystems,
  settings: Settings,
): Omit<SeenEsp, 'fromProfiles' | 'fromPrimary' | 'leftOut'> {
  const { root, xbootldr, inventory } = view;
  const { current, currentBoots, booted } = systems;
  const entries = menuOf(view, systems);
  const next = entries.find((entry) => entry.default);
  const file = inventory.entries.find(({ id }) => id === next?.id);
  const isFor = (system: string) => file !== undefined && bootsSystem(file.cmdline, system);
  const largest = Math.max(inventory.clusterSize, ...entries.map(({ size }) => size));
  const neighbours = inventory.entries.filter(({ isNeighbour }) => isNeighbour).length;
  const shared = sharedImages(inventory);
  const own = [...inventory.blobs, ...inventory.entries.filter(({ name }) => name !== undefined)];
  const problem = next && problemWith(next, view);
  return {
    esp: root,
    ...(xbootldr === undefined ? {} : { xbootldr }),
    bootsNext: next?.id,
    ...(problem === undefined ? {} : { nextProblem: problem }),
    nextIsCurrent: current === undefined ? undefined : currentBoots.some(isFor),
    nextIsBooted: booted === undefined ? undefined : isFor(booted),
    loaders: statusesOf(view.loaders),
    ...firmwareOf(view, next?.id),
    notes: notesOf(view),
    entries: entries.length,
    damaged: entries.filter(isWanting).length,
    ...(neighbours > 0 ? { neighbours } : {}),
    onTrial: entries.filter(({ counter }) => counter && counter.triesLeft > 0).length,
    bad: entries.filter(isBad).length,
    nextIsBad: next !== undefined && isBad(next),
    nextTriesLeft: next?.counter?.triesLeft,
    ...(shared.length > 0 ? { sharedImages: shared } : {}),
    space: {
      total: inventory.total,
      free: inventory.free,
      ours: own.reduce((sum, { size }) => sum + allocated(size, inventory.clusterSize), 0),
      roomFor: Math.max(0, Math.floor((inventory.free - settings.reserve) / largest)),
    },
    ...(inventory.espSpace && {
      espSpace: { total: inventory.espSpace.total, free: inventory.espSpace.free },
    }),
  };
}

/** Says why what should boot next does not start. */
function problemWith({ damage, unsigned }: MenuEntry, view: EspView): string | undefined {
  const copies = view.loaders.filter(({ place }) => place !== 'previous');
  if (copies.map(loaderStatus).every(lacksOurs)) return 'no copy of our boot loader starts';
  return damage ?? (view.firmware?.secureBoot === true ? unsigned : undefined);
}

/** Ours, and damaged or without the signature that firmware asks for. */
function isWanting({ damage, unsigned, own }: MenuEntry): boolean {
  return own && (damage ?? unsigned) !== undefined;
}

function render({ booted, current, bootedIsCurrent, broken = [], esps }: Status): string {
  const restart = bootedIsCurrent === false ? '  (not what runs: restart to run it)' : '';
  return [
    `running:    ${booted ?? 'unknown'}`,
    `profile:    ${current ?? 'none'}${restart}`,
    ...renderBroken(broken),
    ...esps.map(renderEsp),
  ].join('\n');
}

function renderEsp(status: EspStatus): string {
  const trouble = status.problem ? [`  PROBLEM:    ${printable(status.problem.message)}`] : [];
  if (!('entries' in status)) return [`${status.esp}:`, ...trouble].join('\n');
  const { esp, xbootldr, bootsNext, nextIsCurrent, loaders, space, espSpace, leftOut } = status;
  const { sharedImages: shared = [], nextProblem } = status;
  const drift = nextIsCurrent ? '  (as the profile says)' : '  (NOT what the profile says)';
  const without = leftOut.length > 0 ? `; no room for generations ${leftOut.join(', ')}` : '';
  return [
    `${esp}${xbootldr === undefined ? '' : ` and ${xbootldr}`}:`,
    ...trouble,
    ...(status.firmware ?? []).map((text) => `  FIRMWARE:   ${printable(text)}`),
    `  boots next: ${printable(bootsNext ?? 'nothing')}${nextIsCurrent === undefined ? '' : drift}${status.nextIsBad ? '  (BAD: no tries left)' : ''}${nextProblem === undefined ? '' : `  (DOES NOT START: ${printable(nextProblem)})`}`,
    ...loaders.map(
      ({ path, is, problem }) =>
        `  loader:     ${path}  ${is}${problem ? `  (${printable(problem)})` : ''}`,
    ),
    `  entries:    ${countEntries(status)}`,
    `  space:      ${formatSize(space.free)} of ${formatSize(space.total)} free, ${formatSize(space.ours)} ours, room for about ${space.roomFor} more entries${without}`,
    ...renderSpace(espSpace),
    ...firstOf(shared.map(renderShared)),
    ...renderNotes(status.notes),
    ...renderDifferences('the profiles', status.fromProfiles),
    ...renderDifferences('the primary ESP', status.fromPrimary),
  ].join('\n');
}

function renderSpace(space: SeenEsp['espSpace']): string[] {
  if (!space) return [];
  return [`  ESP itself: ${formatSize(space.free)} of ${formatSize(space.total)} free`];
}

/** Where generations share an image, removing one of them frees next to nothing. */
function renderShared({ path, size, entries }: SharedImage): string {
  const numbers = entries.map((id) => /-generation-(\d+)-/.exec(id)?.[1] ?? id);
  const names = [...new Set(numbers)];
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  const of = names.slice(0, NAMED).map(printable).join(', ');
  return `  shared:     ${formatSize(size)}, free once generations ${of}${more} are gone  (${printable(path)})`;
}

function renderNotes(notes: readonly Note[]): string[] {
  return firstOf(
    notes.map(({ path, note }) => `  also there: ${printable(path)}  (${printable(note)})`),
  );
}

function countEntries({ entries, damaged, onTrial, bad, neighbours = 0 }: SeenEsp): string {
  const other = { 'of another machine (see --entry-token)': neighbours };
  const notes = Object.entries({ damaged, 'on trial': onTrial, bad, ...other });
  const told = notes.flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
  return [entries, ...told].join(', ');
}

/**
 * How many files are named. An ESP that was replaced lacks them all, which would fill the screen.
 */
const NAMED = 5;

function firstOf(lines: readonly string[]): string[] {
  const rest = lines.length - NAMED;
  return [...lines.slice(0, NAMED), ...(rest > 0 ? [`    and ${rest} more`] : [])];
}

function renderDifferences(from: string, differences: readonly Difference[] = []): string[] {
  if (differences.length === 0) return [];
  const lines = differences.map(
    ({ kind, path, because }) => `    ${kind}: ${printable(path)}  (${printable(because)})`,
  );
  return [`  differs from ${from}:`, ...firstOf(lines)];
}
