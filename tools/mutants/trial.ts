/** Puts mutants to the test: the named test passes as the source is, and fails with the change. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Mutant } from './mutant.ts';
import { type Ending, parseEndings } from './titles.ts';
import { copyTree, type Tree } from './tree.ts';

/** What became of a mutant. */
export interface Verdict {
  readonly mutant: Mutant;
  readonly killed: boolean;
  /** Why it is not killed; empty when it is. */
  readonly because: string;
  /** What the changed run took: milliseconds. */
  readonly took: number;
}

/** A change may make a loop endless: milliseconds. */
const PATIENCE = 60_000;
const WORKERS = 2;

/** Runs the tests of one file that have one of the titles and returns how each ended. */
async function runTests(
  root: string,
  file: string,
  titles: readonly RegExp[],
): Promise<readonly Ending[]> {
  const only = titles.map(({ source }) => `--test-name-pattern=${source}`);
  const reporter = `--test-reporter=${join(import.meta.dirname, 'titles.ts')}`;
  const options = ['--test', '--test-isolation=none', reporter, ...only, file];
  // A test that is run by node:test would take this run for a part of its own.
  const { NODE_TEST_CONTEXT: _outer, ...environment } = process.env;
  const child = spawn(process.execPath, options, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...environment, NODE_COMPILE_CACHE: join(root, '.compile-cache') },
    timeout: PATIENCE,
    killSignal: 'SIGKILL',
  });
  return parseEndings(await text(child.stdout));
}

/** Returns how the tests that mutants name in a file end as the source is. */
type Baseline = (file: string) => Promise<readonly Ending[]>;

/** Runs each file once, whoever asks for it, and of its tests only those that a mutant names. */
function baselineIn(root: string, mutants: readonly Mutant[]): Baseline {
  const named = Map.groupBy(mutants, ({ killedBy }) => killedBy.file);
  const known = new Map<string, Promise<readonly Ending[]>>();
  return (file) => {
    const titles = (named.get(file) ?? []).map(({ killedBy }) => killedBy.title);
    const endings = known.get(file) ?? runTests(root, file, titles);
    known.set(file, endings);
    return endings;
  };
}

/** Says why the named test cannot kill anything, or returns undefined when it can. */
export function faultOf(title: RegExp, endings: readonly Ending[]): string | undefined {
  const named = endings.filter((ending) => title.test(ending.title));
  const [only] = named;
  if (only === undefined || named.length > 1) {
    return `${named.length} tests have the title ${title}, expected one`;
  }
  return only.ending === 'passed' ? undefined : `the test ${only.ending} without the change`;
}

/** Says why the named test did not kill, or returns undefined when it did. */
export function survivalOf(title: RegExp, endings: readonly Ending[]): string | undefined {
  const failed = endings.filter(({ ending }) => ending === 'failed');
  if (failed.some((ending) => title.test(ending.title))) return undefined;
  const names = failed.map((ending) => JSON.stringify(ending.title)).join(', ');
  return names === '' ? 'no test failed' : `other tests failed: ${names}`;
}

async function judge(mutant: Mutant, tree: Tree, baseline: Baseline): Promise<Verdict> {
  const { file, title } = mutant.killedBy;
  const start = performance.now();
  try {
    const endings = await tree.withMutant(mutant, () => runTests(tree.root, file, [title]));
    const took = performance.now() - start;
    const because = faultOf(title, await baseline(file)) ?? survivalOf(title, endings);
    return { mutant, killed: because === undefined, because: because ?? '', took };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { mutant, killed: false, because: error.message, took: performance.now() - start };
  }
}

/**
 * Tries each mutant in a copy of the repository and tells what became of it, in the order given.
 * @param onVerdict told of each as soon as it is known
 */
export async function tryAll(
  mutants: readonly Mutant[],
  onVerdict: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  using plain = copyTree();
  const baseline = baselineIn(plain.root, mutants);
  const queue = [...mutants];
  const verdicts = new Map<Mutant, Verdict>();
  const work = async () => {
    using tree = copyTree();
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const verdict = await judge(mutant, tree, baseline);
      verdicts.set(mutant, verdict);
      onVerdict(verdict);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return mutants.flatMap((mutant) => verdicts.get(mutant) ?? []);
}
