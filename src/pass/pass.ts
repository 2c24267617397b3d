/** One pass over the ESPs: decide what each should become, and make it so. */

import type { Context } from '../context.ts';
import { EspError, EXIT_FAILED } from '../error.ts';
import type { Target } from '../esp/target.ts';
import { lookFor, readEsp } from '../inspection/read-esp.ts';
import type { RecordKeeper } from '../pcrlock/record-keeper.ts';
import { type Decision, decide } from '../plan/decide.ts';
import type { Removal } from '../plan/elsewhere.ts';
import type { Plan } from '../plan/step.ts';
import type { ToSign } from '../signer/signer.ts';
import type { Survey } from '../survey/surveyed.ts';
import type { Wants } from '../survey/surveyor.ts';
import type { Site } from '../transaction/apply.ts';
import type { Report } from '../transaction/report.ts';
import type { Log } from '../voice/log.ts';
import { lockAll } from '../volumes/esp-lock.ts';
import { openTarget } from '../volumes/volumes.ts';
import { type Outcome, type PassVerb, PURPOSES } from './outcome.ts';

/** Who makes a pass, and what it works and speaks with. */
export interface Tools {
  readonly verb: PassVerb;
  readonly context: Context;
  readonly log: () => Promise<Log>;
  /** Whether anybody wants to read what was changed: the log is not opened for nobody. */
  readonly tellsChanges: boolean;
  /** Told what goes on. */
  readonly say: (text: string) => void;
  /** Seconds to wait for another run on the same ESP. */
  readonly lockTimeout: number;
  /** What else a key will be asked for in this run, where it is asked at all. */
  readonly likely?: readonly ToSign[];
  /** Ends the pass before the next phase. */
  readonly signal?: AbortSignal;
}

/** Deals with one ESP after the other. One that fails leaves the others as they are. */
export async function pass(
  roots: readonly string[],
  wants: Wants,
  tools: Tools,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [index, root] of roots.entries()) {
    outcomes.push(await processEsp(root, wants, tools, index === 0));
  }
  return outcomes;
}

async function processEsp(
  path: string,
  wants: Wants,
  tools: Tools,
  isPrimary: boolean,
): Promise<Outcome> {
  try {
    const target = openTarget(path, wants.known().settings, tools.context);
    return tools.verb === 'plan'
      ? await look(target, wants.known(), tools)
      : await carryOut(target, wants, tools, isPrimary);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return { root: path, warnings: [], failure: error };
  }
}

/** Reads an ESP and decides what is to be done to it. */
async function look(target: Target, survey: Survey, { verb, context }: Tools): Promise<Outcome> {
  const { scope, deep } = PURPOSES[verb];
  const view = await readEsp(target, lookFor(survey, deep), context);
  return outcomeOf(target.root, decide(survey, view, scope));
}

/** Records are of what the primary ESP boots: a mirror has the same, or is about to. */
async function keeperFor(
  target: Target,
  wants: Wants,
  { context }: Tools,
): Promise<RecordKeeper | undefined> {
  const directory = wants.known().settings['pcrlock-directory'];
  if (directory === undefined) return undefined;
  const { recordKeeper } = await import('../pcrlock/record-keeper.ts');
  return recordKeeper(target, directory, context);
}

/**
 * Looks first and locks second: a run that finds nothing to do leaves no trace, takes no lock and
 * waits for nobody. Under the lock everything is read again, profiles included: another run may have
 * changed the ESP, after profiles that are newer than what this one knows.
 */
async function carryOut(
  target: Target,
  wants: Wants,
  tools: Tools,
  isPrimary: boolean,
): Promise<Outcome> {
  const records = isPrimary ? await keeperFor(target, wants, tools) : undefined;
  const settled = await glance(target, wants.known(), tools, records);
  if (settled) return settled;
  using _locks = await lockAll(target.mounted, tools);
  const survey = await wants.renewed();
  const outcome = await look(target, survey, tools);
  const { plan, removals } = outcome;
  if (!plan) return outcome;
  await askForSignatures(plan, survey, tools);
  const announced = (await records?.announce(plan)) ?? [];
  const report = await applyAll(plan, removals, siteOf(target, survey, tools));
  const { signal, tellsChanges, log } = tools;
  if (tellsChanges) logChanges(target.root, report, await log());
  // What was stopped on its way may leave two loaders: both stay expected.
  const renewed = (signal?.aborted ? undefined : await records?.renew(survey)) ?? [];
  return { ...outcome, report, warnings: [...outcome.warnings, ...announced, ...renewed] };
}

/** Before anything is written, and before anybody expects it: a key that is elsewhere may be away. */
async function askForSignatures(
  plan: Plan,
  { signer }: Survey,
  { context, likely }: Tools,
): Promise<void> {
  if (!signer.prepare) return;
  const { programsToSign } = await import('../recipe/to-sign.ts');
  signer.prepare(await programsToSign(plan, context.disk), likely);
}

/** Where and with what a plan is carried out. */
function siteOf(
  target: Target,
  { signer, sources }: Survey,
  { context, say, signal }: Tools,
): Site {
  const { root, disk, locate, mounted } = target;
  return {
    ...{ root, disk, locate, mounted, signer, sources },
    processId: context.processId,
    onPhase: ({ name, steps }) => say(`${root}: ${name}, ${steps.length} files`),
    ...(signal && { signal }),
  };
}

/** Carries out a plan, and after it the removals on other partitions. Throws UNFINISHED when it cannot. */
export async function applyAll(
  plan: Plan,
  removals: readonly Removal[] | undefined,
  site: Site,
): Promise<Report> {
  const { apply } = await import('../transaction/apply.ts');
  const reports = [await apply(plan, site).catch(unfinished)];
  for (const { root, phases } of removals ?? []) {
    const there = { ...site, root, locate: undefined };
    reports.push(await apply({ ...plan, phases }, there).catch(unfinished));
  }
  return {
    changes: reports.flatMap(({ changes }) => changes),
    written: reports.reduce((sum, { written }) => sum + written, 0),
  };
}

/**
 * Decides without the lock, and returns what came of it if there is nothing to do. What goes wrong may
 * be another run's work in progress: it decides nothing.
 */
async function glance(
  target: Target,
  survey: Survey,
  tools: Tools,
  records: RecordKeeper | undefined,
): Promise<Outcome | undefined> {
  let outcome: Outcome;
  try {
    outcome = await look(target, survey, tools);
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
  if (outcome.plan?.phases.length !== 0 || outcome.removals?.length !== 0) return undefined;
  const told = records ? await records.settled(survey) : [];
  const report = { changes: [], written: 0 };
  return told && { ...outcome, warnings: [...outcome.warnings, ...told], report };
}

/**
 * Once a plan is being carried out, nothing is a refusal any more: a disk that turns out to be full or
 * read-only leaves the ESP safe and the work undone.
 */
function unfinished(cause: unknown): never {
  if (!(cause instanceof EspError) || cause.status === EXIT_FAILED) throw cause;
  // The kernel writes no more to a FAT that is damaged, and who knows to whom that happened.
  const isDamaged = cause.code === 'ESP_READ_ONLY';
  const message = `the run did not finish${isDamaged ? '' : '; what boots is whole'}`;
  throw new EspError('UNFINISHED', message, {
    cause,
    ...(cause.hint === undefined ? {} : { hint: cause.hint }),
  });
}

/** A refusal is a value until here, where it becomes the failure of this ESP. */
function outcomeOf(root: string, { plan, removals, byProfiles, warnings }: Decision): Outcome {
  if (!('kind' in plan)) return { root, warnings, plan, removals, byProfiles };
  const { message, hint } = plan;
  return { root, warnings, failure: new EspError('ESP_FULL', `${root}: ${message}`, { hint }) };
}

function logChanges(esp: string, { changes, written }: Report, log: Log): void {
  for (const { phase, kind, path, size, because } of changes) {
    log.debug({ esp, phase, path, size, because }, kind);
  }
  log.info({ esp, changes: changes.length, written }, 'installed');
}
