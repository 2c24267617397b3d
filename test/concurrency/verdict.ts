/** Whether a storm left what some order of its runs would have left, judged by files and times alone. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Run, Tree } from './alone.ts';
import type { Call, Ended, Moment } from './storm.ts';

/** Names that mean nothing to a boot loader. */
const TEMPORARY = /(^|\/)\.espalier-\d+-\d+\.tmp$/;

/** Returns what is wrong with how a process ended, if anything is. */
export function dishonest({ call, status, stderr, started, ended }: Ended): string | undefined {
  const waited = ended - started >= call.patience * 1000;
  const isLocked = status === 1 && /\[LOCKED\]/.test(stderr);
  const honest =
    status === 0 ||
    status === 5 ||
    (status === null && call.killAfter !== undefined) ||
    (isLocked && (waited || call.verb === 'watch'));
  return honest ? undefined : `${call.verb} ended with ${status}: ${stderr}`;
}

/** Returns the files that are neither foreign and as they were, nor as a run alone would write them. */
export function strangers(tree: Tree, foreign: Tree, right: readonly Tree[]): string[] {
  const isRight = (path: string) => right.some((other) => other[path] === tree[path]);
  const lost = Object.keys(foreign).filter((path) => tree[path] !== foreign[path]);
  const strange = Object.keys(tree).filter(
    (path) => !(path in foreign) && !TEMPORARY.test(path) && !isRight(path),
  );
  return [...lost, ...strange];
}

/** Returns the remains of killed runs. */
export function remains(tree: Tree): string[] {
  return Object.keys(tree).filter((path) => TEMPORARY.test(path));
}

/** Returns the ID that loader.conf names when no entry has it: the machine would boot another one. */
export function danglingDefault(esp: string): string | undefined {
  for (;;) {
    const id = readDefault(esp);
    if (id === undefined || entries(esp).includes(id)) return undefined;
    // It may have been another one, and its entry removed, while we looked.
    if (readDefault(esp) === id && !entries(esp).includes(id)) return id;
  }
}

function readDefault(esp: string): string | undefined {
  const path = join(esp, 'loader/loader.conf');
  if (!fs.existsSync(path)) return undefined;
  return /^default (.*)$/m.exec(fs.readFileSync(path, 'utf8'))?.[1];
}

function entries(esp: string): string[] {
  return ['EFI/Linux', 'loader/entries']
    .map((directory) => join(esp, directory))
    .flatMap((path) => (fs.existsSync(path) ? fs.readdirSync(path) : []));
}

/**
 * Returns the sequences of runs of which one must explain the final tree, when no run was killed: an
 * order of all the runs in which each takes place at a moment between its start and its end. What an
 * `install` leaves does not depend on what was there, so only the last one counts, and the
 * collections after it. A watcher may have made a pass at any moment of its life, or none.
 */
export function* explanations(
  ended: readonly Ended[],
  moments: readonly Moment[],
): Generator<readonly Run[]> {
  const done = ended.filter(({ status }) => status === 0 || status === 5);
  const of = (...verbs: Call['verb'][]) => done.filter(({ call }) => verbs.includes(call.verb));
  const lastStart = Math.max(...of('install').map(({ started }) => started));
  for (const install of of('install', 'watch').filter((run) => run.ended >= lastStart)) {
    const begin = Math.max(lastStart, install.started);
    const collections = of('gc').filter((run) => run.ended >= begin);
    for (const { profiles } of within(moments, begin, install.ended)) {
      const run: Run = { verb: 'install', limit: install.call.limit, profiles };
      for (const after of collectionsAfter(install, collections)) {
        for (const then of orders(after, begin, moments)) yield [run, ...then];
      }
    }
  }
}

function within(moments: readonly Moment[], begin: number, end: number): readonly Moment[] {
  return moments.filter(({ from, to }) => from <= end && to >= begin);
}

/** Which collections may have come after a run: those that began after its end, and any of the others. */
function* collectionsAfter(
  run: Ended,
  [first, ...rest]: readonly Ended[],
): Generator<readonly Ended[]> {
  if (first === undefined) return yield [];
  for (const others of collectionsAfter(run, rest)) {
    if (first.started <= run.ended) yield others;
    yield [first, ...others];
  }
}

/** The ways in which collections may follow each other: each at one of the moments of its life. */
function* orders(
  [first, ...rest]: readonly Ended[],
  begin: number,
  moments: readonly Moment[],
): Generator<readonly Run[]> {
  if (first === undefined) return yield [];
  const { call, started, ended } = first;
  for (const { profiles } of within(moments, Math.max(begin, started), ended)) {
    const run: Run = { verb: 'gc', limit: call.limit, profiles };
    for (const then of orders(rest, begin, moments)) yield [run, ...then];
  }
}
