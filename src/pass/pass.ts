/** One pass over the ESPs: decide what each should become, and make it so. */

import type { Context } from '../context.ts';
import { EspError, EXIT_FAILED } from '../error.ts';
import { requireEsp } from '../esp/mount.ts';
import type { RecordKeeper } from '../pcrlock/record-keeper.ts';
import type { Phase, Plan } from '../plan/step.ts';
import type { ToSign } from '../signer/signer.ts';
import type { Survey } from '../survey/surveyed.ts';
import type { Wants } from '../survey/surveyor.ts';
import type { Site } from '../transaction/apply.ts';
import type { Report } from '../transaction/report.ts';
import type { Log } from '../voice/log.ts';
import { lockAll } from '../volumes/esp-lock.ts';
import { mountedFor, placeOf } from '../volumes/volumes.ts';
import { decide, type EspDecision } from './decide.ts';
import type { Removal } from './elsewhere.ts';
import type { Outcome } from './outcome.ts';
import { type PassVerb, PURPOSES } from './outcome.ts';

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
    outcomes.push(await treat(root, wants, tools, index === 0));
  }
  return outcomes;
}

async function treat(
  path: string,
  wants: Wants,
  tools: Tools,
  isPrimary: boolean,
): Promise<Outcome> {
  try {
    const { settings } = wants.known();
    const root = requireEsp(tools.context.disk, path, settings['allow-directory']);
    return tools.verb === 'plan'
      ? refusedOr(await decide(root, wants.known(), tools.context, PURPOSES.plan))
      : await carryOut(root, wants, tools, isPrimary);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return { root: path, warnings: [], failure: error };
  }
}

/** Records are of what the primary ESP boots: a mirror has the same, or is about to. */
async function keeperFor(
  root: string,
  wants: Wants,
  { context }: Tools,
): Promise<RecordKeeper | undefined> {
  const directory = wants.known().settings['pcrlock-directory'];
  if (directory === undefined) return undefined;
  const { recordKeeper } = await import('../pcrlock/record-keeper.ts');
  return recordKeeper(root, directory, context);
}

/**
 * Looks first and locks second: a run that finds nothing to do leaves no trace, takes no lock and
 * waits for nobody. Under the lock everything is read again, profiles included: another run may have
 * changed the ESP, after profiles that are newer than what this one knows.
 */
async function carryOut(
  root: string,
  wants: Wants,
  tools: Tools,
  isPrimary: boolean,
): Promise<Outcome> {
  const { verb, context, log, tellsChanges, say, signal } = tools;
  const purpose = PURPOSES[verb];
  const records = isPrimary ? await keeperFor(root, wants, tools) : undefined;
  const first = await glance(root, wants.known(), tools);
  if (first?.plan?.phases.length === 0 && first.removals?.length === 0) {
    const told = records ? await records.settled(wants.known()) : [];
    const warnings = told && [...first.warnings, ...told];
    if (warnings) return { ...first, warnings, report: { changes: [], written: 0 } };
  }
  const mounted = mountedFor(root, context);
  using _locks = await lockAll(mounted, tools);
  const surveyed = await wants.renewed();
  const outcome = refusedOr(await decide(root, surveyed, context, purpose));
  if (!outcome.plan) return outcome;
  const { signer, sources } = surveyed;
  const onPhase = ({ name, steps }: Phase) => say(`${root}: ${name}, ${steps.length} files`);
  const { processId } = context;
  const site = { ...placeOf(root, context), mounted, signer, sources, processId, onPhase };
  // Before anything is written, and before anybody expects it: a key that is elsewhere may be away.
  if (signer.prepare) {
    const { programsToSign } = await import('../recipe/to-sign.ts');
    signer.prepare(await programsToSign(outcome.plan, context.disk), tools.likely);
  }
  const announced = (await records?.announce(outcome.plan)) ?? [];
  const report = await applyAll(
    outcome.plan,
    outcome.removals,
    signal ? { ...site, signal } : site,
  );
  if (tellsChanges) logChanges(root, report, await log());
  // What was stopped on its way may leave two loaders: both stay expected.
  const renewed = (signal?.aborted ? undefined : await records?.renew(surveyed)) ?? [];
  return { ...outcome, report, warnings: [...outcome.warnings, ...announced, ...renewed] };
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

/** Decides without the lock. What goes wrong may be another run's work in progress: it decides nothing. */
async function glance(
  root: string,
  surveyed: Survey,
  { verb, context }: Tools,
): Promise<Outcome | undefined> {
  try {
    return refusedOr(await decide(root, surveyed, context, PURPOSES[verb]));
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
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
function refusedOr({ root, plan: decided, removals, warnings }: EspDecision): Outcome {
  if (!('kind' in decided)) return { root, warnings, plan: decided, removals };
  const { message, hint } = decided;
  return { root, warnings, failure: new EspError('ESP_FULL', `${root}: ${message}`, { hint }) };
}

function logChanges(esp: string, { changes, written }: Report, log: Log): void {
  for (const { phase, kind, path, size, because } of changes) {
    log.debug({ esp, phase, path, size, because }, kind);
  }
  log.info({ esp, changes: changes.length, written }, 'installed');
}
