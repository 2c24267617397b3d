/** One pass over the ESPs: decides what each should become, and makes it so. */

import type { Context } from '../context.ts';
import { EspError, EXIT_FAILED } from '../error.ts';
import { directoryOf, entryId } from '../esp/layout.ts';
import { systemsOn } from '../esp/neighbours.ts';
import type { Target } from '../esp/target.ts';
import { lookFor, readEsp } from '../inspection/read-esp.ts';
import type { RecordKeeper } from '../pcrlock/record-keeper.ts';
import { type Decision, decide } from '../plan/decide.ts';
import type { Removal } from '../plan/elsewhere.ts';
import type { Plan } from '../plan/step.ts';
import type { ToSign } from '../signer/signer.ts';
import { rememberSystems } from '../survey/own-systems.ts';
import type { Survey } from '../survey/surveyed.ts';
import type { Wants } from '../survey/surveyor.ts';
import type { Log } from '../terminal/log.ts';
import type { Site } from '../transaction/apply.ts';
import type { Report } from '../transaction/report.ts';
import { lockAll } from '../volumes/esp-lock.ts';
import { expected } from '../volumes/esp-roots.ts';
import { withFatNames } from '../volumes/fat-names.ts';
import { openTarget } from '../volumes/volumes.ts';
import { type Outcome, type PassVerb, PURPOSES, refusalOf } from './outcome.ts';

/** The verb of a pass, and what the pass works with. */
export interface PassContext {
  readonly verb: PassVerb;
  readonly context: Context;
  readonly log: () => Promise<Log>;
  /** Whether to log changes. When nobody reads them, the log is not opened. */
  readonly tellsChanges: boolean;
  /** Seconds to wait while another run holds the ESP. */
  readonly lockTimeout: number;
  /** Programs beside the ESPs that this run will have signed too, if it asks for signatures. */
  readonly likely?: readonly ToSign[];
  /** Ends the pass before its next phase. */
  readonly signal?: AbortSignal;
}

/** Processes one ESP after the other. A failure of one leaves the others as they are. */
export async function pass(
  roots: readonly string[],
  wants: Wants,
  passContext: PassContext,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [index, root] of roots.entries()) {
    outcomes.push(await processEsp(root, wants, passContext, index === 0));
  }
  return withFirmware(outcomes, wants.known(), passContext);
}

/** Once the files are in place: what firmware and its variables should say. A failure costs a warning alone. */
async function withFirmware(
  outcomes: readonly Outcome[],
  { settings }: Survey,
  { verb, context }: PassContext,
): Promise<readonly Outcome[]> {
  const [primary, ...mirrors] = outcomes;
  const next = primary?.plan?.default;
  const isWanted = settings['efi-entry'] || settings['clear-overrides'];
  if (!isWanted || !primary || next === undefined || primary.failure) return outcomes;
  if (verb === 'plan' || verb === 'gc') return outcomes;
  const { settleFirmware } = await import('../firmware/settle.ts');
  const { changes, warnings } = settleFirmware(
    settings,
    { id: next, menu: primary.menu ?? [] },
    context,
  );
  const told = { ...primary, firmware: changes, warnings: [...primary.warnings, ...warnings] };
  return [told, ...mirrors];
}

async function processEsp(
  path: string,
  wants: Wants,
  passContext: PassContext,
  isPrimary: boolean,
): Promise<Outcome> {
  try {
    const target = withFatNames(openTarget(path, wants.known().settings, passContext.context));
    if (passContext.verb === 'plan') return await look(target, wants.known(), passContext);
    return await carryOut(target, wants, passContext, isPrimary);
  } catch (error) {
    return { root: path, warnings: [], failure: expected(error) };
  }
}

/** Reads an ESP and decides what is to be done to it. */
async function look(
  target: Target,
  survey: Survey,
  { verb, context }: PassContext,
): Promise<Outcome> {
  const { scope, deep } = PURPOSES[verb];
  const view = await readEsp(target, lookFor(survey, deep), context);
  const outcome = outcomeOf(target.root, decide(survey, view, scope));
  return { ...outcome, format: survey.format, systems: systemsOn(view.inventory) };
}

/** Keeps records for the primary ESP alone: a mirror boots the same, or is about to. */
async function keeperFor(
  target: Target,
  wants: Wants,
  { context }: PassContext,
): Promise<RecordKeeper | undefined> {
  const directory = wants.known().settings['pcrlock-directory'];
  if (directory === undefined) return undefined;
  const { recordKeeper } = await import('../pcrlock/record-keeper.ts');
  return recordKeeper(target, directory, context);
}

/**
 * Looks first and locks second: a run that finds nothing to do leaves no trace, takes no lock and
 * waits for nobody. A run that plainly has something to do locks at once. Under the lock everything
 * is read again, profiles included: another run may have changed the ESP, from newer profiles than
 * this run has read.
 */
async function carryOut(
  target: Target,
  wants: Wants,
  passContext: PassContext,
  isPrimary: boolean,
): Promise<Outcome> {
  const records = isPrimary ? await keeperFor(target, wants, passContext) : undefined;
  const settled = await decideUnlocked(target, wants.known(), passContext, records);
  if (settled) {
    await remember(settled, wants.known(), passContext);
    return settled;
  }
  using _locks = await lockAll(target.mounted, passContext);
  target.renew?.();
  const survey = await wants.renewed();
  const outcome = await look(target, survey, passContext);
  const { plan, removals } = outcome;
  if (!plan) return outcome;
  await askForSignatures(plan, survey, passContext);
  await remember(outcome, survey, passContext);
  const announced = (await records?.announce(plan)) ?? [];
  const report = await applyAll(plan, removals, siteOf(target, survey, passContext));
  const { signal, tellsChanges, log } = passContext;
  if (tellsChanges) logChanges(target.root, report, await log());
  // A pass that was stopped may leave two loaders. Both stay expected.
  const renewed = (signal?.aborted ? undefined : await records?.renew(survey)) ?? [];
  return { ...outcome, report, warnings: [...outcome.warnings, ...announced, ...renewed] };
}

/**
 * Remembers the systems of this machine before the ESP changes. Where power fails in this run and a
 * generation is deleted before the next one, its entry is still known as ours, and is removed.
 */
async function remember(
  { systems = [] }: Outcome,
  { settings, ownSystems }: Survey,
  { context }: PassContext,
): Promise<void> {
  const known = [...(ownSystems?.known ?? [])];
  await rememberSystems([...known, ...systems], context.disk, settings['cache-dir']);
}

/** Asks before anything is written or expected: whoever holds a key elsewhere may not answer. */
async function askForSignatures(
  plan: Plan,
  { signer }: Survey,
  { context, likely }: PassContext,
): Promise<void> {
  if (!signer.prepare) return;
  const { programsToSign } = await import('../recipe/to-sign.ts');
  signer.prepare(await programsToSign(plan, context.disk), likely);
}

/** Returns the ESP and everything that carrying out a plan on it needs. */
function siteOf(
  target: Target,
  { signer, sources }: Survey,
  { context, signal }: PassContext,
): Site {
  const { root, disk, locate, mounted, renew } = target;
  return {
    ...{ root, disk, locate, mounted, signer, sources },
    // An image gets the same bytes from every run: no process's number, and one file after the other.
    ...(renew === undefined ? { processId: context.processId } : { processId: 0, parallel: 1 }),
    ...(context.progress && { progress: context.progress }),
    ...(signal && { signal }),
  };
}

/** Carries out a plan, then the removals on other partitions. Throws UNFINISHED when it cannot. */
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
 * Decides without the lock, and returns an outcome if there is nothing to do. An error may come
 * from another run's unfinished work, so it decides nothing here.
 */
async function decideUnlocked(
  target: Target,
  survey: Survey,
  passContext: PassContext,
  records: RecordKeeper | undefined,
): Promise<Outcome | undefined> {
  let outcome: Outcome;
  try {
    // Other scopes write no new entry, so one that is missing gives them nothing to do.
    if (PURPOSES[passContext.verb].scope === 'all' && lacksNext(target, survey)) return undefined;
    outcome = await look(target, survey, passContext);
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
  if (outcome.plan?.phases.length !== 0 || outcome.removals?.length !== 0) return undefined;
  const told = records ? await records.settled(survey) : [];
  const report = { changes: [], written: 0 };
  return told && { ...outcome, warnings: [...outcome.warnings, ...told], report };
}

/** Tells whether the entry is missing that should boot next. A look without the lock could settle nothing then. */
function lacksNext({ root, tree }: Target, { musts, default: id }: Survey): boolean {
  const next = musts.flatMap(({ entries }) => entries).find((entry) => entry.id === id);
  if (next === undefined) return false;
  const there = tree.list(`${root}/${directoryOf(next.file.path)}`) ?? [];
  return !there.some(({ name }) => entryId(name).toLowerCase() === id.toLowerCase());
}

/**
 * Turns a refusal into UNFINISHED once a plan is being carried out: a refusal says that nothing was
 * touched. A disk that turns out full or read-only leaves the ESP safe and the work undone.
 */
function unfinished(cause: unknown): never {
  if (!(cause instanceof EspError) || cause.status === EXIT_FAILED) throw cause;
  // The kernel makes a damaged FAT read-only. It may have happened to this ESP.
  const isDamaged = cause.code === 'ESP_READ_ONLY';
  const message = `the run did not finish${isDamaged ? '' : '; what boots is whole'}`;
  throw new EspError('UNFINISHED', message, {
    cause,
    hint: cause.hint,
  });
}

/** A refusal is a value up to here. Here it becomes the failure of this ESP. */
function outcomeOf(
  root: string,
  { plan, removals, byProfiles, menu, warnings }: Decision,
): Outcome {
  if (!('kind' in plan)) return { root, warnings, plan, removals, byProfiles, menu };
  return { root, warnings, failure: refusalOf(root, plan) };
}

function logChanges(esp: string, { changes, written }: Report, log: Log): void {
  for (const { phase, kind, path, size, because } of changes) {
    log.debug({ esp, phase, path, size, because }, kind);
  }
  log.info({ esp, changes: changes.length, written }, 'installed');
}
