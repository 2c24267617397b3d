/** `verify`: whether what lies on the ESP is what its names say, and would start. */

import type { Context } from '../context.ts';
import { EspError, EXIT_WARNINGS, explain } from '../error.ts';
import type { Target } from '../esp/target.ts';
import { type Look, lookAlone, readEsp } from '../inspection/read-esp.ts';
import { type Finding, findingsOf } from '../plan/findings.ts';
import { nextOf } from '../plan/menu-order.ts';
import type { EspView } from '../plan/view.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import type { Search } from '../survey/root-hash-check.ts';
import type { Log } from '../voice/log.ts';
import { printable } from '../voice/table.ts';
import { lockAll } from '../volumes/esp-lock.ts';
import { type Esp, expected, findEsps, requireOne } from '../volumes/esp-roots.ts';
import { openTarget } from '../volumes/volumes.ts';

/** What was found on one ESP. */
interface Verified {
  readonly esp: string;
  /** Why nothing could be looked at. */
  readonly problem?: string;
  readonly findings: readonly Finding[];
}

/** Status when what boots next, or every copy of the loader, is damaged. */
const EXIT_BROKEN = 1;

/** Verifies the EFI programs that are named, or every ESP: names, sizes and headers; with `--deep` every byte and every signature. */
export async function verify(
  { operands, flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  if (operands.length > 0) {
    const { verifyFiles } = await import('./verify-files.ts');
    const { certificate } = flags;
    const named = typeof certificate === 'string' ? certificate : undefined;
    return verifyFiles(operands, { verb: 'verify', certificate: named, json }, context);
  }
  const { disk, environment, print } = context;
  const { deep: isDeep, ...others } = flags;
  const deep = isDeep === true;
  const settings = await readSettings(others, environment, disk);
  const log = async () => (await import('../voice/log.ts')).openLog(verbosity);
  const given = { settings, context, deep, log, look: await lookAlone(settings, context, deep) };
  const looked: Looked[] = [];
  for (const esp of findEsps(settings, context, 'read')) {
    looked.push(esp.failure ? esp : await verifyEsp(esp.root, given));
  }
  requireOne(looked);
  const esps = looked.map(
    ({ root, failure, findings = [] }): Verified => ({
      esp: root,
      ...(failure ? { problem: explain(failure) } : {}),
      findings,
    }),
  );
  if (json) print(JSON.stringify({ version: 1, verb: 'verify', deep, esps }, undefined, 2));
  else for (const verified of esps) print(render(verified));
  const all = esps.flatMap(({ findings }) => findings);
  if (all.some(({ fatal }) => fatal)) return EXIT_BROKEN;
  return all.length > 0 || esps.some(({ problem }) => problem) ? EXIT_WARNINGS : 0;
}

/** An ESP with what was found on it, or why it could not be looked at. */
interface Looked extends Esp {
  readonly findings?: readonly Finding[];
}

/** How an ESP is looked at, and with what. */
interface Verification extends Search {
  readonly settings: Settings;
  readonly look: Look;
  readonly log: () => Promise<Log>;
}

/**
 * Looks first and locks second: where all is well nobody is waited for. What is not may be another
 * run's work in progress, so the ESP is looked at again when none is at work.
 */
async function verifyEsp(root: string, given: Verification): Promise<Looked> {
  try {
    const target = openTarget(root, given.settings, given.context, 'read');
    const first = await findingsOn(target, given).catch(unlessExpected);
    if (first?.length === 0) return { root, findings: first };
    using _locks = await lockIfPossible(target, given);
    return { root, findings: await findingsOn(target, given) };
  } catch (error) {
    return { root, failure: expected(error) };
  }
}

/** What a run removes may be missed in the middle of a look. */
function unlessExpected(error: unknown): undefined {
  expected(error);
}

/** Without a place for locks, as for another user, the second look is as good as the first. */
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

async function findingsOn(target: Target, given: Verification): Promise<readonly Finding[]> {
  const view = await readEsp(target, given.look, given.context);
  return [...findingsOf(view), ...(await rootHashFindings(view, given))];
}

/** What an entry of ours would wait for in vain, or not get to read. */
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

function render({ esp, problem, findings }: Verified): string {
  if (problem) return `${esp}: not verified: ${problem}`;
  if (findings.length === 0) return `${esp}: all is well`;
  const lines = findings.map(
    ({ path, problem, fatal }) =>
      `  ${fatal ? '!' : '-'} ${printable(path)}: ${printable(problem)}`,
  );
  const advice = '  `espalier repair` rewrites what fails, from the store';
  return [`${esp}: ${findings.length} findings`, ...lines, advice].join('\n');
}
