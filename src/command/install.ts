/** `install` and `plan`: survey, plan, apply; the second stops before the last. */
import { EspError, EXIT_WARNINGS } from '../error.ts';
import { requireEsp } from '../esp/mount.ts';
import type { Phase } from '../plan/step.ts';
import type { Report } from '../transaction/report.ts';
import type { Context } from './context.ts';
import { espRoots } from './esp-roots.ts';
import type { Log } from './log.ts';
import type { Invocation } from './program.ts';
import { type Progress, startProgress } from './progress.ts';
import { type Outcome, renderOutcome, toDocument } from './report.ts';
import { readSettings } from './settings.ts';
import { type Survey, survey } from './survey.ts';
import { decide, type EspDecision } from './survey-esp.ts';

/** Brings every ESP in line with the profiles. */
export function install(invocation: Invocation, context: Context): Promise<number> {
  return perform('install', invocation, context);
}

/** Prints what {@link install} would do. */
export function plan(invocation: Invocation, context: Context): Promise<number> {
  return perform('plan', invocation, context);
}

/**
 * Surveys once, then deals with one ESP after the other. The first is the primary: what stops it
 * stops the run with its own status. A mirror that fails leaves the others as they are.
 */
async function perform(
  verb: 'install' | 'plan',
  { operand: toplevel, flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const settings = await readSettings(flags, context.environment, context.disk);
  const roots = espRoots(settings, context);
  const log = lazyLog(verbosity);
  const outcomes: Outcome[] = [];
  const progress = startProgress(json || verbosity !== 0);
  try {
    const surveyed = await survey(settings, toplevel, context);
    try {
      const tools = { context, log, progress };
      for (const root of roots) outcomes.push(await treat(verb, root, surveyed, tools));
    } finally {
      surveyed.dispose();
    }
  } finally {
    progress.stop();
  }
  const warnings = [...new Set(outcomes.flatMap((outcome) => outcome.warnings))];
  if (json) context.print(JSON.stringify(toDocument(verb, outcomes, warnings), undefined, 2));
  else for (const outcome of outcomes) context.print(renderOutcome(verb, outcome));
  for (const warning of warnings) (await log()).warn(warning);
  const [primary, ...mirrors] = outcomes;
  if (primary?.failure) throw primary.failure;
  for (const { root, failure } of mirrors) {
    if (failure) (await log()).error({ esp: root, code: failure.code }, failure.message);
  }
  const degraded = warnings.length > 0 || mirrors.some(({ failure }) => failure);
  return degraded ? EXIT_WARNINGS : 0;
}

/** Opens the log when there is first something to say: a run that has nothing to say pays nothing. */
function lazyLog(verbosity: number): () => Promise<Log> {
  let log: Promise<Log> | undefined;
  return () => {
    log ??= import('./log.ts').then(({ openLog }) => openLog(verbosity));
    return log;
  };
}

/** What a run works and speaks with. */
interface Tools {
  readonly context: Context;
  readonly log: () => Promise<Log>;
  readonly progress: Progress;
}

async function treat(
  verb: 'install' | 'plan',
  path: string,
  surveyed: Survey,
  tools: Tools,
): Promise<Outcome> {
  try {
    const root = requireEsp(tools.context.disk, path, surveyed.settings['allow-directory']);
    return verb === 'plan'
      ? refusedOr(await decide(root, surveyed, tools.context))
      : await installOne(root, surveyed, tools);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return { root: path, warnings: [], failure: error };
  }
}

/**
 * Looks first and locks second: a run that finds nothing to do leaves no trace, takes no lock and
 * waits for nobody. Under the lock everything is read again, for another run may have changed it.
 */
async function installOne(
  root: string,
  surveyed: Survey,
  { context, log, progress }: Tools,
): Promise<Outcome> {
  const first = refusedOr(await decide(root, surveyed, context));
  if (first.plan?.phases.length === 0) return { ...first, report: { changes: [], written: 0 } };
  const [{ apply }, { acquireLock, lockDirectory }] = await Promise.all([
    import('../transaction/apply.ts'),
    import('../transaction/lock.ts'),
  ]);
  const { disk, environment, uid, processId } = context;
  const stat = disk.stat(root);
  using _lock = await acquireLock({
    disk,
    directory: lockDirectory(environment, uid),
    key: `${(stat?.device ?? 0).toString(16)}-${(stat?.inode ?? 0).toString(16)}`,
    verb: 'install',
    timeoutSeconds: surveyed.settings['lock-timeout'],
    onWait: (holder) => void log().then((opened) => opened.warn({ esp: root, holder }, 'waiting')),
  });
  const outcome = refusedOr(await decide(root, surveyed, context));
  if (!outcome.plan) return outcome;
  const { signer, sources } = surveyed;
  const onPhase = ({ name, steps }: Phase) =>
    progress.say(`${root}: ${name}, ${steps.length} files`);
  const site = { disk, root, signer, sources, processId, onPhase };
  const report = await apply(outcome.plan, site);
  await logChanges(root, report, await log());
  return { ...outcome, report };
}

/** A refusal is a value until here, where it becomes the failure of this ESP. */
function refusedOr({ root, plan: decided, warnings }: EspDecision): Outcome {
  if (!('kind' in decided)) return { root, warnings, plan: decided };
  const { message, hint } = decided;
  return { root, warnings, failure: new EspError('ESP_FULL', `${root}: ${message}`, { hint }) };
}

async function logChanges(esp: string, { changes, written }: Report, log: Log): Promise<void> {
  for (const { phase, kind, path, size, because } of changes) {
    log.debug({ esp, phase, path, size, because }, kind);
  }
  log.info({ esp, changes: changes.length, written }, 'installed');
}
