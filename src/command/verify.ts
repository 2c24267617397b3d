/** `verify`: whether what lies on the ESP is what its names say, and would start. */

import type { Context } from '../context.ts';
import { EspError, EXIT_WARNINGS, explain } from '../error.ts';
import type { Inventory } from '../esp/inventory.ts';
import { ENTRIES, type EspPath } from '../esp/layout.ts';
import { extraFindings } from '../inspection/extra-findings.ts';
import { loaderCopies } from '../inspection/loader-copies.ts';
import { menuOf } from '../inspection/menu.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import type { Search } from '../survey/root-hash-check.ts';
import type { Log } from '../voice/log.ts';
import { printable } from '../voice/table.ts';
import { scanBootTree } from '../volumes/boot-tree.ts';
import { lockAll } from '../volumes/esp-lock.ts';
import { type Esp, expected, findEsps, requireOne } from '../volumes/esp-roots.ts';
import { mountedFor, withVolumes } from '../volumes/volumes.ts';

/** Something that is not as it should be. */
interface Finding {
  readonly path: EspPath;
  readonly problem: string;
  /** Whether the machine may not start, or not start what it should, because of it. */
  readonly fatal: boolean;
}

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
  given: Context,
): Promise<number> {
  if (operands.length > 0) {
    const { verifyFiles } = await import('./verify-files.ts');
    const { certificate } = flags;
    const named = typeof certificate === 'string' ? certificate : undefined;
    return verifyFiles(operands, { verb: 'verify', certificate: named, json }, given);
  }
  const { environment, print } = given;
  const { deep: isDeep, ...others } = flags;
  const deep = isDeep === true;
  const settings = await readSettings(others, environment, given.disk);
  const context = withVolumes(settings, given, 'read');
  const log = async () => (await import('../voice/log.ts')).openLog(verbosity);
  const looked: Looked[] = [];
  for (const esp of findEsps(settings, context, 'read')) {
    looked.push(esp.failure ? esp : await verifyEsp(esp.root, { settings, context, deep, log }));
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
interface Look extends Search {
  readonly settings: Settings;
  readonly deep: boolean;
  readonly log: () => Promise<Log>;
}

/**
 * Looks first and locks second: where all is well nobody is waited for. What is not may be another
 * run's work in progress, so the ESP is looked at again when none is at work.
 */
async function verifyEsp(root: string, look: Look): Promise<Looked> {
  try {
    const first = await findingsOn(root, look).catch(unlessExpected);
    if (first?.length === 0) return { root, findings: first };
    using _locks = await lockIfPossible(root, look);
    return { root, findings: await findingsOn(root, look) };
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
  root: string,
  { settings, context, log }: Look,
): Promise<Disposable | undefined> {
  const taker = { verb: 'verify', context, log, lockTimeout: settings['lock-timeout'] };
  try {
    return await lockAll(mountedFor(root, context), taker);
  } catch (error) {
    if (error instanceof EspError && error.code !== 'LOCKED') return undefined;
    throw error;
  }
}

async function findingsOn(root: string, look: Look): Promise<readonly Finding[]> {
  const { settings, context, deep } = look;
  const { inventory: seen } = scanBootTree(root, settings['entry-token'], context);
  const inventory = deep
    ? await (await import('../inspection/examination.ts')).examine(root, seen, context)
    : seen;
  return [
    ...(await loaderFindings(root, settings, context)),
    ...entryFindings(root, inventory, settings, context),
    ...extraFindings(root, inventory, context, deep).map((found) => ({ ...found, fatal: false })),
    ...(await rootHashFindings(root, inventory, look)),
  ];
}

function entryFindings(
  root: string,
  inventory: Inventory,
  settings: Settings,
  { disk }: Context,
): readonly Finding[] {
  const entries = menuOf(root, inventory, settings, disk);
  if (entries.length === 0) {
    return [{ path: ENTRIES, problem: 'there is no boot entry', fatal: true }];
  }
  return [
    ...entries.flatMap(({ path, damage, generation, default: isDefault }): Finding[] =>
      damage === undefined || generation === undefined
        ? []
        : [{ path, problem: damage, fatal: isDefault }],
    ),
    ...inventory.blobs.flatMap(({ path, damage }): Finding[] =>
      damage === undefined ? [] : [{ path, problem: damage, fatal: false }],
    ),
    ...inventory.temporaries.map(({ path, twin }) => ({
      path,
      problem: twin
        ? `it shares its clusters with ${twin}: run fsck.fat -a`
        : 'a killed run left it',
      fatal: false,
    })),
  ];
}

/** What an entry of ours would wait for in vain, or not get to read. */
async function rootHashFindings(
  root: string,
  inventory: Inventory,
  search: Look,
): Promise<readonly Finding[]> {
  const menu = menuOf(root, inventory, search.settings, search.context.disk);
  const first = menu.find((entry) => entry.default)?.path;
  const findings: Finding[] = [];
  for (const { path, name, cmdline } of inventory.entries) {
    if (name === undefined || !cmdline.includes('hash=')) continue;
    const { findTroubles } = await import('../survey/root-hash-check.ts');
    for (const { text, isUnknown } of await findTroubles(cmdline, search)) {
      findings.push({ path, problem: text, fatal: path === first && !isUnknown });
    }
  }
  return findings;
}

/** One copy that does not start needs a look; two that do not are a machine that does not start. */
async function loaderFindings(
  root: string,
  settings: Settings,
  context: Context,
): Promise<readonly Finding[]> {
  const copies = await loaderCopies(root, settings, context);
  const fatal = copies.every(({ problem }) => problem !== undefined);
  return copies.flatMap(({ path, problem }) =>
    problem === undefined ? [] : [{ path, problem, fatal }],
  );
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
