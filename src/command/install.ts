/** `install`, `plan`, `repair`, `gc`: survey, plan and apply, each with its own purpose. */

import type { Context } from '../context.ts';
import { EspError, EXIT_FAILED, EXIT_WARNINGS, explain } from '../error.ts';
import { countablePattern } from '../esp/layout.ts';
import type { Variables } from '../firmware/variables.ts';
import { namedDefault } from '../inspection/named-default.ts';
import type { Outcome, PassVerb } from '../pass/outcome.ts';
import { pass } from '../pass/pass.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import type { Asking } from '../signer/delivered-signer.ts';
import { type Signer, type ToSign, unsigned } from '../signer/signer.ts';
import type { ExtraReport } from '../signing/extra.ts';
import type { Survey } from '../survey/surveyed.ts';
import { openSurveyor, type Wants } from '../survey/surveyor.ts';
import type { Log } from '../terminal/log.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { findTargets } from '../volumes/volumes.ts';
import { renderOutcome, toDocument } from './report.ts';

/** Brings every ESP in line with the profiles. */
export function install(invocation: Invocation, context: Context): Promise<number> {
  return perform('install', invocation, context);
}

/** Prints what {@link install} would do. */
export async function plan(invocation: Invocation, context: Context): Promise<number> {
  if (invocation.flags['signing-request'] === undefined)
    return perform('plan', invocation, context);
  return (await import('./signing-request.ts')).planRequest(invocation, context);
}

/** Rewrites damaged files from the store, and leaves everything else as it is. */
export function repair(invocation: Invocation, context: Context): Promise<number> {
  return perform('repair', invocation, context);
}

/** Removes files that nothing needs, and writes nothing. */
export function gc(invocation: Invocation, context: Context): Promise<number> {
  return perform('gc', invocation, context);
}

/**
 * Surveys once, then processes one ESP after the other. A failure of one leaves the others as they
 * are. The first ESP is the primary: the run fails when the primary fails.
 */
async function perform(verb: PassVerb, invocation: Invocation, given: Context): Promise<number> {
  const { once, ...flags } = invocation.flags;
  const read = await readSettings(flags, given.environment, given.disk);
  using ground = await groundFor(read, given);
  const { settings, context } = ground;
  const roots = findTargets(settings, context);
  const log = lazyLog(invocation.verbosity);
  const runContext = { context, log };
  // What cannot be said to the boot loader is found out before anything is installed.
  const { openVariables } = once ? await import('../firmware/variables.ts') : {};
  const variables = openVariables?.(context);
  const done = await surveyAndPass(verb, roots, settings, { ...invocation, variables }, runContext);
  return await report(verb, done, invocation, runContext);
}

/** The outcome of every ESP, and of the programs that are signed beside them. */
interface RunResult {
  readonly outcomes: readonly Outcome[];
  readonly extra: ExtraReport;
}

/** What a run works with, and the log, which opens at the first line. */
interface RunContext {
  readonly context: Context;
  readonly log: () => Promise<Log>;
}

async function surveyAndPass(
  verb: PassVerb,
  roots: readonly string[],
  settings: Settings,
  { operands: [toplevel], verbosity, variables }: Asked,
  { context, log }: RunContext,
): Promise<RunResult> {
  const asking = verb === 'plan' ? await askingInstead(settings, context) : undefined;
  using surveyor = await openSurveyor(settings, toplevel, context, asking);
  const { notices, cautions } = surveyor.known();
  for (const caution of cautions) (await log()).warn(caution);
  if (verbosity > 0) for (const notice of notices) (await log()).info(notice);
  const signing = await extraSigning(verb, settings, surveyor.known().signer, context);
  const outcomes = await pass(
    roots,
    variables ? keepsDefault(surveyor, roots, context) : surveyor,
    {
      verb,
      context,
      log,
      tellsChanges: verbosity > 0,
      lockTimeout: settings['lock-timeout'],
      likely: signing.likely,
    },
  );
  const started =
    variables && !outcomes[0]?.failure
      ? await startOnce(surveyor.known().default, outcomes, variables)
      : outcomes;
  // A failed primary ESP fails the run, so the programs beside it stay unsigned.
  const extra = outcomes[0]?.failure ? NOTHING : await signing.sign();
  return {
    outcomes: started,
    extra: { ...extra, warnings: [...extra.warnings, ...unsignedNames(asking)] },
  };
}

/** What a person asks for; with variables, one start of what is installed. */
type Asked = Invocation & { readonly variables: Variables | undefined };

/** What boots when nobody chooses stays, as if it had been chosen. A new ESP has nothing that could. */
function keepsDefault(wants: Wants, [primary = '']: readonly string[], { disk }: Context): Wants {
  const chosen = namedDefault(disk, primary);
  const keeping = (survey: Survey): Survey =>
    chosen === undefined ? survey : { ...survey, standing: { followed: survey.default, chosen } };
  return {
    known: () => keeping(wants.known()),
    renewed: async () => keeping(await wants.renewed()),
  };
}

/** Has the boot loader start an entry at the next start, and only then. Returns the outcomes, which tell it. */
async function startOnce(
  id: string,
  [primary, ...others]: readonly Outcome[],
  variables: Variables,
): Promise<readonly Outcome[]> {
  const { choose } = await import('../firmware/loader-choice.ts');
  choose(variables, 'next', countablePattern(id));
  if (primary === undefined) return others;
  const firmware = [...(primary.firmware ?? []), `${id} starts at the next start, and only then`];
  return [{ ...primary, firmware }, ...others];
}

/** A plan asks nobody who holds a key elsewhere: the certificate is enough for all but a few names. */
async function askingInstead(settings: Settings, context: Context): Promise<Asking | undefined> {
  const { certificate, 'signing-command': command, 'private-key': key, signatures } = settings;
  // Settings that contradict each other are told by whoever loads the signer.
  if (!certificate || !command || (key ?? signatures) !== undefined) return undefined;
  const { loadAskingSigner } = await import('../signer/delivered-signer.ts');
  return loadAskingSigner(certificate, context.disk, context.now);
}

function unsignedNames(asking: Asking | undefined): readonly string[] {
  return (asking?.asked ?? []).map(
    ({ name }) =>
      `${name}: its signed form is unknown, and so is its name: plan runs no --signing-command`,
  );
}

const NOTHING: ExtraReport = { signed: [], warnings: [] };

/** Finds the programs beside the ESPs that need a signature, and returns what signs them. */
async function extraSigning(
  verb: PassVerb,
  settings: Settings,
  signer: Signer,
  context: Context,
): Promise<{ readonly likely: readonly ToSign[]; readonly sign: () => Promise<ExtraReport> }> {
  const isAsked = verb === 'install' && Object.keys(settings['extra-sign']).length > 0;
  if (!isAsked || signer === unsigned) return { likely: [], sign: async () => NOTHING };
  const { extraPrograms, signExtras } = await import('../signing/extra.ts');
  const { toSign } = await import('../signing/task.ts');
  const programs = extraPrograms(settings, signer, context);
  return { likely: toSign(programs.tasks), sign: () => signExtras(programs, signer, context) };
}

/** Prints the outcome of every ESP, and returns the exit status. */
async function report(
  verb: PassVerb,
  { outcomes, extra }: RunResult,
  { json }: Invocation,
  { context, log }: RunContext,
): Promise<number> {
  const warnings = [
    ...new Set([...outcomes.flatMap((outcome) => outcome.warnings), ...extra.warnings]),
  ];
  const { signed } = extra;
  if (json)
    context.print(JSON.stringify(toDocument(verb, outcomes, warnings, signed), undefined, 2));
  else {
    for (const outcome of outcomes) context.print(renderOutcome(verb, outcome));
    for (const path of signed) context.print(`${path}: signed`);
  }
  for (const warning of warnings) (await log()).warn(warning);
  const [primary, ...mirrors] = outcomes;
  const failed = mirrors.filter(({ failure }) => failure);
  for (const { root, failure } of failed) {
    const { code, hint } = failure ?? {};
    (await log()).error({ esp: root, code, hint }, explain(failure));
  }
  if (primary?.failure)
    throw verb === 'plan' ? primary.failure : withMirrors(primary.failure, mirrors);
  return warnings.length + failed.length > 0 ? EXIT_WARNINGS : 0;
}

/**
 * Corrects a refusal of the primary, which says that nothing was touched, when a mirror was
 * written.
 */
function withMirrors(cause: EspError, mirrors: readonly Outcome[]): EspError {
  const isTouched = ({ failure }: Outcome) => !failure || failure.status === EXIT_FAILED;
  if (cause.status === EXIT_FAILED || !mirrors.some(isTouched)) return cause;
  return new EspError('UNFINISHED', 'the primary ESP is as it was, and a mirror was written', {
    cause,
    hint: cause.hint,
  });
}

/** Opens the log at the first line, so a silent run does not load it. */
function lazyLog(verbosity: number): () => Promise<Log> {
  let log: Promise<Log> | undefined;
  return () => {
    log ??= import('../terminal/log.ts').then(({ openLog }) => openLog(verbosity));
    return log;
  };
}
