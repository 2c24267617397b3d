/**
 * `status`: shows what runs, what boots next, whether the profile wants it, the loader, the space.
 */

import type { Context } from '../context.ts';
import { EspError, EXIT_WARNINGS } from '../error.ts';
import { allocated } from '../esp/space.ts';
import type { Malformed } from '../generation/generation.ts';
import { lookAlone, lookFor } from '../inspection/read-esp.ts';
import { openWanted } from '../pass/drift.ts';
import { readEsps } from '../pass/read-esps.ts';
import { lacksOurs, loaderStatus, statusesOf } from '../plan/loader-status.ts';
import { isWanting, type MenuEntry, menuOf, sharedImages } from '../plan/menu.ts';
import { isBad } from '../plan/menu-order.ts';
import { notesOf } from '../plan/notes.ts';
import { overrides } from '../plan/overrides.ts';
import { startedPrevious } from '../plan/running-loader.ts';
import { entriesNotFound, notReached, refusals, startedElsewhere } from '../plan/startable.ts';
import type { EspView } from '../plan/view.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { type KnownSystems, readSystems } from '../survey/systems.ts';
import { USUAL_COLUMNS } from '../terminal/screen.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { brokenOf } from './broken.ts';
import { espFindings } from './esp-findings.ts';
import type { EspStatus, SeenEsp, Status } from './status-document.ts';
import type { PageEsp, ShownEsp } from './status-page.ts';
import { type Known, knownOf, problemOf } from './trouble.ts';

/** Shows the status of every ESP. The exit status says whether something has drifted. */
export async function status({ flags, json }: Invocation, given: Context): Promise<number> {
  // The survey reads the same generations once more: they are remembered from here to there.
  const remembering = { ...given, generations: new Map() };
  const { disk, environment, print } = remembering;
  const { metrics, output, ...others } = flags;
  if (output !== undefined && metrics !== true) {
    throw new EspError('CONFIG_INVALID', '--output: expected --metrics as well', {
      hint: 'what else status prints goes to a file by > FILE',
    });
  }
  if (others['format'] === 'prometheus') {
    throw new EspError('CONFIG_INVALID', '--format: expected a kind of entries, got prometheus', {
      hint: 'for the metrics use --metrics',
    });
  }
  using ground = await groundFor(await readSettings(others, environment, disk), remembering);
  const { settings, context } = ground;
  const systems = readSystems(settings, context);
  const { running, booted, current, currentBoots } = systems;
  const { pages, malformed } = await describeEsps(systems, settings, context);
  const broken = brokenOf(malformed);
  const esps = pages.map((page) => page.status);
  const found: Status = {
    booted: running,
    current,
    bootedIsCurrent: booted && current ? currentBoots.includes(booted) : undefined,
    ...(broken.length > 0 ? { broken } : {}),
    esps,
  };
  if (metrics === true) {
    const text = (await import('./metrics.ts')).formatMetrics(found);
    if (typeof output !== 'string') print(text);
    // Whoever collects the file finds the old one or the new one, and never a part.
    else await remembering.disk.replaceText(output, `${text}\n`, 'everyone');
  } else if (json) print(JSON.stringify({ version: 1, verb: 'status', ...found }, undefined, 2));
  else {
    const { statusPage } = await import('./status-page.ts');
    print(statusPage(found, pages, context.columns?.() ?? USUAL_COLUMNS));
  }
  return broken.length > 0 || esps.some(needsLook) ? EXIT_WARNINGS : 0;
}

function needsLook(status: EspStatus): boolean {
  return !('findings' in status) || status.findings.length > 0;
}

async function describeEsps(
  systems: KnownSystems,
  settings: Settings,
  context: Context,
): Promise<{ readonly pages: readonly PageEsp[]; readonly malformed: readonly Malformed[] }> {
  using wanted = await openWanted(settings, context);
  const look = 'survey' in wanted ? lookFor(wanted.survey) : await lookAlone(settings, context);
  const pages: PageEsp[] = [];
  let primary: EspView | undefined;
  for (const [index, { root, ...read }] of (await readEsps(settings, look, context)).entries()) {
    if (read.failure) {
      pages.push({ status: { esp: root, problem: problemOf(read.failure) } });
      continue;
    }
    const { view } = read;
    const known = knownOf(view, { wanted, systems, primary }, settings, context);
    if (index === 0) primary = view;
    const menu = menuOf(view, systems);
    const described = describeEsp(view, menu, systems, settings);
    const status = { ...described, ...known, findings: espFindings(view, known) };
    pages.push({ status, menu, reserve: settings.reserve, ...bootsBy(view, status) });
  }
  const malformed = 'survey' in wanted ? wanted.survey.quarantined : systems.malformed;
  return { pages, malformed };
}

/** What firmware and its variables make of the files; a person alone is told. */
function bootsBy(
  view: EspView,
  { bootsNext }: Pick<SeenEsp, 'bootsNext'>,
): Pick<ShownEsp, 'obstacles' | 'copies' | 'isSecureBoot' | 'overrides'> {
  const { firmware, inventory, loaders } = view;
  return {
    obstacles: obstaclesOf(view),
    copies: loaders.filter(({ place }) => place !== 'previous').map(loaderStatus),
    isSecureBoot: firmware?.secureBoot === true,
    overrides: bootsNext === undefined ? [] : overrides(firmware, bootsNext, inventory.entries),
  };
}

/** Why firmware or boot loader start nothing of this ESP. */
function obstaclesOf(view: EspView): readonly string[] {
  return [
    ...refusals(view.firmware),
    ...startedElsewhere(view),
    ...notReached(view),
    ...entriesNotFound(view),
  ];
}

/** What firmware says against this ESP. */
function firmwareOf(view: EspView, next: string | undefined): Pick<SeenEsp, 'firmware'> {
  const own = next === undefined ? [] : overrides(view.firmware, next, view.inventory.entries);
  const told = [...obstaclesOf(view), ...startedPrevious(view), ...own];
  return told.length > 0 ? { firmware: told } : {};
}

function describeEsp(
  view: EspView,
  entries: readonly MenuEntry[],
  { booted }: KnownSystems,
  settings: Settings,
): Omit<SeenEsp, keyof Known | 'findings'> {
  const { root, xbootldr, inventory } = view;
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
