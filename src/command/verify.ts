/** `verify`: tells whether the files on the ESP match their names and would start. */

import type { Context } from '../context.ts';
import { EspError, EXIT_WARNINGS, explain } from '../error.ts';
import { ENTRIES } from '../esp/layout.ts';
import type { Target } from '../esp/target.ts';
import { type Look, lookAlone, madeOf, readEsp } from '../inspection/read-esp.ts';
import { openWanted, type Wanted } from '../pass/drift.ts';
import { type Finding, findingsOf } from '../plan/findings.ts';
import { nextOf } from '../plan/menu-order.ts';
import { type Note, notesOf } from '../plan/notes.ts';
import { ownFiles, standing } from '../plan/present.ts';
import type { EspView } from '../plan/view.ts';
import { entriesOf, filesOf } from '../plan/wanted.ts';
import type { Text } from '../process/styled-text.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { policyRule } from '../survey/policies.ts';
import type { Search } from '../survey/root-hash-check.ts';
import { joined } from '../terminal/lines.ts';
import type { Log } from '../terminal/log.ts';
import { printable } from '../terminal/printable.ts';
import { lockAll } from '../volumes/esp-lock.ts';
import { type Esp, expected, findEsps, requireOne } from '../volumes/esp-roots.ts';
import { withFatNames } from '../volumes/fat-names.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { openTarget } from '../volumes/volumes.ts';

/** What was found on one ESP. */
interface Verified {
  readonly esp: string;
  /** Why the ESP could not be read. */
  readonly problem?: string;
  readonly findings: readonly Finding[];
  /** What is there and not ours. */
  readonly notes: readonly Note[];
}

/** Exit status when the entry that boots next, or every copy of the loader, is damaged. */
const EXIT_BROKEN = 1;

/** Verifies the EFI programs that are named, or every ESP: names, sizes and headers; with `--deep` every byte and every signature. */
export async function verify(invocation: Invocation, context: Context): Promise<number> {
  const { operands, flags, json } = invocation;
  if (operands.length === 0) return verifyEsps(invocation, context);
  const { verifyFiles } = await import('./verify-files.ts');
  const { certificate } = flags;
  const named = typeof certificate === 'string' ? certificate : undefined;
  return verifyFiles(operands, { verb: 'verify', certificate: named, json }, context);
}

async function verifyEsps({ flags, json, verbosity }: Invocation, given: Context): Promise<number> {
  const { disk, environment, print } = given;
  const { deep: isDeep, ...others } = flags;
  const deep = isDeep === true;
  using ground = await groundFor(await readSettings(others, environment, disk), given);
  const { settings, context } = ground;
  const log = async () => (await import('../terminal/log.ts')).openLog(verbosity);
  // What is not signed is asked for without a signature, whatever the settings allow.
  const isUnsigned = settings.certificate === undefined;
  const asked = isUnsigned ? { ...settings, 'allow-unsigned': true } : settings;
  using wanted = await openWanted(asked, context);
  const made = deep && 'survey' in wanted ? madeOf(wanted.survey) : undefined;
  const look = {
    ...(await lookAlone(settings, context, deep)),
    ...{ made, policies: await policyRule(settings, context) },
    wanted: 'survey' in wanted ? entriesOf(wanted.survey) : [],
  };
  const verification = { settings, context, deep, log, look, wanted };
  const looked: LookedEsp[] = [];
  for (const esp of findEsps(settings, context, 'read')) {
    looked.push(esp.failure ? esp : await verifyEsp(esp.root, verification));
  }
  requireOne(looked);
  const esps = looked.map(
    ({ root, failure, findings = [], notes = [] }): Verified => ({
      esp: root,
      ...(failure ? { problem: explain(failure) } : {}),
      findings,
      notes,
    }),
  );
  if (json) print(JSON.stringify({ version: 1, verb: 'verify', deep, esps }, undefined, 2));
  else for (const verified of esps) print(renderFindings(verified));
  const all = esps.flatMap(({ findings }) => findings);
  if (all.some(({ fatal }) => fatal)) return EXIT_BROKEN;
  return all.length > 0 || esps.some(({ problem }) => problem) ? EXIT_WARNINGS : 0;
}

/** An ESP with what was found on it, or why it could not be looked at. */
interface LookedEsp extends Esp {
  readonly findings?: readonly Finding[];
  readonly notes?: readonly Note[];
}

/** How closely to look at an ESP, and what that needs. */
interface Verification extends Search {
  readonly settings: Settings;
  readonly look: Look;
  readonly log: () => Promise<Log>;
  /** What would be installed now, where the store is at hand. */
  readonly wanted: Wanted;
}

/**
 * Looks first and locks second, so a sound ESP makes nobody wait. A finding may be the unfinished
 * work of another run, so verify looks again under the lock.
 */
async function verifyEsp(root: string, given: Verification): Promise<LookedEsp> {
  try {
    const target = withFatNames(openTarget(root, given.settings, given.context, 'read'));
    const first = await findingsOn(target, given).catch(unlessExpected);
    if (first?.findings.length === 0) return { root, ...first };
    using _locks = await lockIfPossible(target, given);
    target.renew?.();
    return { root, ...(await findingsOn(target, given)) };
  } catch (error) {
    return { root, failure: expected(error) };
  }
}

/** Another run may remove a file while verify reads it. Such an error is no finding. */
function unlessExpected(error: unknown): undefined {
  expected(error);
}

/** A user without a place for locks gets the second look without a lock. */
async function lockIfPossible(
  { mounted }: Target,
  { settings, context, log }: Verification,
): Promise<Disposable | undefined> {
  const taker = { verb: 'verify', context, log, lockTimeout: settings['lock-timeout'] };
  try {
    return await lockAll(mounted, taker);
  } catch (error) {
    if (error instanceof EspError && error.code !== 'LOCKED') return undefined;
    throw error;
  }
}

async function findingsOn(
  target: Target,
  given: Verification,
): Promise<Pick<Verified, 'findings' | 'notes'>> {
  const view = await readEsp(target, given.look, given.context);
  const told = findingsOf(view);
  const findings = [
    ...told,
    ...sizeFindings(view, given).filter(({ path }) => told.every((other) => other.path !== path)),
    ...(await rootHashFindings(view, given)),
    ...complaintOn(target, view),
    ...(given.settings['allow-directory'] ? [] : await volumeFindings(target, view, given)),
  ];
  return { findings, notes: notesOf(view) };
}

async function volumeFindings(
  target: Target,
  view: EspView,
  { wanted, context }: Verification,
): Promise<readonly Finding[]> {
  const { conditionFindings } = await import('../inspection/volume-condition.ts');
  // Without a failure, what is wanted is unknown because of a program that appends secrets.
  const hasSecrets = 'failure' in wanted && wanted.failure === undefined;
  return conditionFindings(target, view, hasSecrets, context);
}

/** The store tells how large each file has to be: an initrd says nothing of itself. */
function sizeFindings(view: EspView, { wanted }: Verification): readonly Finding[] {
  if ('failure' in wanted) return [];
  const own = ownFiles(view.inventory);
  const next = nextOf(view.inventory);
  const decisive = next ? [next.path, ...next.references] : [];
  const files = entriesOf(wanted.survey).flatMap(filesOf);
  return [...new Map(files.map((file) => [file.path, file])).values()].flatMap((file) => {
    const found = standing(file, own);
    if (found.kind !== 'damaged') return [];
    const { at: path, because: problem } = found;
    return [{ path, problem, fatal: decisive.includes(path) }];
  });
}

/** What firmware does not read it does not start. */
function complaintOn({ complaint }: Target, { loaders }: EspView): readonly Finding[] {
  const [loader] = loaders;
  if (complaint === undefined || loader === undefined) return [];
  return [{ path: loader.path, problem: complaint, fatal: false }];
}

/** Finds entries of ours whose root hash no partition has, or whose file system cannot be read. */
async function rootHashFindings(view: EspView, search: Search): Promise<readonly Finding[]> {
  const first = nextOf(view.inventory)?.path;
  const findings: Finding[] = [];
  for (const { path, name, cmdline } of view.inventory.entries) {
    if (name === undefined || !cmdline.includes('hash=')) continue;
    const { findTroubles } = await import('../survey/root-hash-check.ts');
    for (const { text, isUnknown } of await findTroubles(cmdline, search)) {
      findings.push({ path, problem: text, fatal: path === first && !isUnknown });
    }
  }
  return findings;
}

function renderFindings({ esp, problem, findings, notes }: Verified): Text {
  if (problem) return [`${esp}: `, { text: 'not verified', meaning: 'bad' }, `: ${problem}`];
  const told = notes.map(({ path, note }) => `  = ${printable(path)}: ${printable(note)}`);
  if (findings.length === 0) {
    return joined([[`${esp}: `, { text: 'all is well', meaning: 'good' }], ...told], '\n');
  }
  const lines = findings.map(({ path, problem, fatal }): Text => {
    const mark = fatal ? ({ text: '!', meaning: 'bad' } as const) : CAUTION;
    return ['  ', mark, ` ${printable(path)}: ${printable(problem)}`];
  });
  const isEmpty = findings.some(({ path }) => path === ENTRIES);
  const advice = isEmpty
    ? '  nothing is installed here: `espalier plan` shows what `espalier install` would do'
    : '  `espalier repair` rewrites what fails, from the store';
  return joined([`${esp}: ${findings.length} findings`, ...lines, advice, ...told], '\n');
}

const CAUTION = { text: '-', meaning: 'caution' } as const;
