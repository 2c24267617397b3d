/** Whether a storm left what some order of its runs would have left, judged by files and times alone. */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { Run, Tree } from './alone.ts';
import type { Call, Ended, Moment } from './storm.ts';

/** Names that mean nothing to a boot loader. */
const TEMPORARY = /(^|\/)\.espalier-\d+-\d+\.tmp$/;

/** Returns what is wrong with how a process ended, if anything is. */
export function dishonest({
  call,
  status,
  signal,
  stderr,
  started,
  ended,
}: Ended): string | undefined {
  const waited = ended - started >= call.patience * 1000;
  const isLocked = status === 1 && /\[LOCKED\]/.test(stderr);
  const honest =
    status === 0 ||
    status === 5 ||
    (signal === 'SIGKILL' && call.killAfter !== undefined) ||
    // The machine was so busy that it had not yet begun when it was told to end.
    (signal === 'SIGTERM' && call.verb === 'watch' && stderr === '') ||
    (isLocked && (waited || call.verb === 'watch'));
  return honest ? undefined : `${call.verb} ended with ${status ?? signal}: ${stderr}`;
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

/** Returns the entries of which a file is missing that they name. */
export function incomplete(esp: string, tree: Tree): string[] {
  const listed = Object.keys(tree).filter((path) => /^loader\/entries\/nixos-/.test(path));
  return listed.filter((path) => {
    const named = fs.readFileSync(join(esp, path), 'utf8').matchAll(/^(?:linux|initrd) \/(.*)$/gm);
    return [...named].some((match) => !((match[1] ?? '') in tree));
  });
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
  return /^default (.*)$/m.exec(fs.readFileSync(path, 'utf8'))?.[1]?.replace('*', '');
}

function entries(esp: string): string[] {
  return ['EFI/Linux', 'loader/entries']
    .map((directory) => join(esp, directory))
    .flatMap((path) => (fs.existsSync(path) ? fs.readdirSync(path) : []));
}

/** A run that may have been the last `install`, and what may have come after it. Times as in {@link Ended}. */
interface Candidate {
  readonly run: Run;
  readonly collections: readonly Ended[];
  /** When it took place, at the earliest and at the latest. */
  readonly begin: number;
  readonly end: number;
}

/**
 * Whether an order of all the runs, each at a moment between its start and its end, leaves this tree,
 * when no run was killed. What an `install` leaves does not depend on what was there, so only the last
 * one counts, and the collections after it. A watcher may have made a pass at any moment, or none.
 */
export async function isExplained(
  tree: Tree,
  ended: readonly Ended[],
  moments: readonly Moment[],
  alone: (runs: readonly Run[]) => Promise<Tree>,
): Promise<boolean> {
  const seen = new Set<string>();
  /** Whether these runs, and then some of the collections, leave the tree. None brings back what is gone. */
  const leads = async (
    runs: readonly Run[],
    [next, ...rest]: readonly Ended[],
    bounds: Pick<Candidate, 'begin' | 'end'>,
  ): Promise<boolean> => {
    const now = await alone(runs);
    const key = JSON.stringify([now, next?.started, bounds]);
    if (seen.has(key) || !holds(now, tree)) return false;
    seen.add(key);
    if (next === undefined) return holds(tree, now);
    if (next.started <= bounds.end && (await leads(runs, rest, bounds))) return true;
    const earliest = Math.max(bounds.begin, next.started);
    for (const { profiles } of within(moments, earliest, next.ended)) {
      const run: Run = { verb: 'gc', limit: next.call.limit, profiles };
      if (await leads([...runs, run], rest, bounds)) return true;
    }
    return false;
  };
  for (const { run, collections, begin, end } of lastInstalls(ended, moments)) {
    if (await leads([run], collections, { begin, end })) return true;
  }
  return false;
}

/** The runs that may have been the last `install`: each at a moment of its life at which all had begun. */
function* lastInstalls(ended: readonly Ended[], moments: readonly Moment[]): Generator<Candidate> {
  const done = ended.filter(({ status }) => status === 0 || status === 5);
  const of = (...verbs: Call['verb'][]) => done.filter(({ call }) => verbs.includes(call.verb));
  const lastStart = Math.max(...of('install').map(({ started }) => started));
  for (const install of of('install', 'watch').filter((run) => run.ended >= lastStart)) {
    const begin = Math.max(lastStart, install.started);
    const collections = of('gc').filter((run) => run.ended >= begin);
    for (const { profiles } of within(moments, begin, install.ended)) {
      const run: Run = { verb: 'install', limit: install.call.limit, profiles };
      yield { run, collections, begin, end: install.ended };
    }
  }
}

function within(moments: readonly Moment[], begin: number, end: number): readonly Moment[] {
  return moments.filter(({ from, to }) => from <= end && to >= begin);
}

/** Whether a tree holds every file of another one. */
function holds(tree: Tree, other: Tree): boolean {
  return Object.entries(other).every(([path, digest]) => tree[path] === digest);
}
