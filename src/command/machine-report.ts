/** `report`: a page that shows a machine: its menu, its space, its generations, what is to be done. */

import { resolve } from 'node:path';
import { lastValue } from '../bls.ts';
import type { Context } from '../context.ts';
import { type EspError, EXIT_WARNINGS } from '../error.ts';
import {
  compareGenerations,
  type Generation,
  isMalformed,
  type Malformed,
  systemsOf,
} from '../generation/generation.ts';
import { openSource } from '../generation/sources.ts';
import type { MachineReport, ReportedEsp, ReportedGeneration } from '../html/machine-report.ts';
import { reportPage } from '../html/page.ts';
import { lookAlone, lookFor } from '../inspection/read-esp.ts';
import { parseLoaderConf } from '../loader/loader-conf.ts';
import { openWanted } from '../pass/drift.ts';
import { readEsps } from '../pass/read-esps.ts';
import { heldVolumes } from '../plan/holders.ts';
import { statusesOf } from '../plan/loader-status.ts';
import { menuOf } from '../plan/menu.ts';
import { notesOf } from '../plan/notes.ts';
import type { EspView } from '../plan/view.ts';
import { generationName } from '../plan/wanted.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { type KnownSystems, readSystems } from '../survey/systems.ts';
import { expected } from '../volumes/esp-roots.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { openTarget } from '../volumes/volumes.ts';
import { brokenOf } from './broken.ts';
import { espFindings, machineFindings, problemFinding } from './esp-findings.ts';
import { programsOn } from './report-programs.ts';
import { type Comparison, knownOf, problemOf } from './trouble.ts';

/** Prints the page, or writes it as a whole. The exit status says whether something is to be done. */
export async function report({ flags, json }: Invocation, given: Context): Promise<number> {
  // The survey reads the same generations once more: they are remembered from here to there.
  const remembering = { ...given, generations: new Map() };
  const { disk, environment, print } = remembering;
  const { output, ...others } = flags;
  using ground = await groundFor(await readSettings(others, environment, disk), remembering);
  const found = await reportOn(ground.settings, ground.context);
  const text = json
    ? JSON.stringify({ version: 1, verb: 'report', ...found }, undefined, 2)
    : reportPage(found).trimEnd();
  if (typeof output === 'string') await disk.replaceText(resolve(output), `${text}\n`, 'everyone');
  else print(text);
  const isWell =
    found.findings.length === 0 && found.esps.every((esp) => esp.findings.length === 0);
  return isWell ? 0 : EXIT_WARNINGS;
}

async function reportOn(settings: Settings, context: Context): Promise<MachineReport> {
  const systems = readSystems(settings, context);
  using wanted = await openWanted(settings, context);
  const look = 'survey' in wanted ? lookFor(wanted.survey) : await lookAlone(settings, context);
  const esps: ReportedEsp[] = [];
  let primary: EspView | undefined;
  for (const [index, { root, ...read }] of (await readEsps(settings, look, context)).entries()) {
    if (read.failure) esps.push(unreadable(root, read.failure));
    else {
      const comparison = { wanted, systems, primary };
      esps.push(describeEsp(read.view, systems, comparison, settings, context));
      if (index === 0) primary = read.view;
    }
  }
  const broken = brokenOf('survey' in wanted ? wanted.survey.quarantined : systems.malformed);
  return {
    at: context.now,
    booted: systems.running,
    current: systems.current,
    findings: machineFindings(broken),
    generations: generationsOf(esps, systems, settings, context),
    esps,
  };
}

function unreadable(esp: string, failure: EspError): ReportedEsp {
  const findings = [problemFinding(problemOf(failure))];
  const nothing = {
    notes: [],
    leftOut: [],
    menu: [],
    timeout: undefined,
    loaders: [],
    volumes: [],
    programs: [],
  };
  return { esp, findings, ...nothing };
}

function describeEsp(
  view: EspView,
  systems: KnownSystems,
  comparison: Comparison,
  settings: Settings,
  context: Context,
): ReportedEsp {
  const { root, xbootldr, inventory } = view;
  const conf = parseLoaderConf(new TextDecoder().decode(inventory.loaderConf));
  const known = knownOf(view, comparison, settings, context);
  const { tree } = openTarget(root, settings, context, 'read');
  return {
    esp: root,
    ...(xbootldr === undefined ? {} : { xbootldr }),
    findings: espFindings(view, known),
    leftOut: known.leftOut,
    notes: notesOf(view),
    menu: menuOf(view, systems),
    timeout: lastValue(conf, 'timeout'),
    loaders: statusesOf(view.loaders),
    volumes: heldVolumes(view, settings.reserve),
    programs: programsOn(view, tree, context),
  };
}

/** Returns what the source has, and what became of each. */
function generationsOf(
  esps: readonly ReportedEsp[],
  systems: KnownSystems,
  settings: Settings,
  { disk, generations: memory }: Context,
): readonly ReportedGeneration[] {
  const menu = esps.flatMap((esp) => esp.menu);
  const [primary] = esps;
  const { generations, malformed } = readSource(settings, disk, memory);
  const states = (found: Generation | Malformed): readonly string[] => {
    const name = generationName(found);
    if (isMalformed(found)) return ['broken'];
    const own = systemsOf(found).flatMap(({ paths }) => paths);
    const isOf = (entry: { readonly name: string | undefined }) =>
      entry.name === name || entry.name?.startsWith(`${name}-`) === true;
    const entries = menu.filter(isOf);
    const told: readonly (readonly [string, boolean])[] = [
      ['next', primary?.menu.some((entry) => entry.default && isOf(entry)) === true],
      ['running', systems.running !== undefined && own.includes(systems.running)],
      ['current', systems.current !== undefined && own.includes(systems.current)],
      ['pinned', systems.pinned.some((system) => own.includes(system))],
      ['in the menu', entries.length > 0],
    ];
    return told.flatMap(([state, holds]) => (holds ? [state] : []));
  };
  return [...generations, ...malformed].sort(compareGenerations).map((found) => ({
    name: generationName(found),
    builtAt: isMalformed(found) ? undefined : found.builtAt,
    label: isMalformed(found) ? undefined : found.bootspec.label,
    states: states(found),
  }));
}

/** No profile is no error here, as on a rescue system. */
function readSource(
  settings: Settings,
  disk: Context['disk'],
  memory: Context['generations'],
): { readonly generations: readonly Generation[]; readonly malformed: readonly Malformed[] } {
  try {
    return openSource(settings, disk).read(memory);
  } catch (error) {
    if (expected(error).code !== 'CONFIG_INVALID') throw error;
    return { generations: [], malformed: [] };
  }
}
