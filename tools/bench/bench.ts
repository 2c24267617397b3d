/**
 * Measures the program beside what cannot be avoided, copying the same bytes and starting Node, and
 * beside its peers where they are there. Times of one machine and one hour mean little: ratios do.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, loadavg, release } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheFolder } from '../../test/lab/parts.ts';
import { bundle } from '../bundle.ts';
import { IMAGE_WORKLOADS } from './image-workload.ts';
import { espalier, findPeers, rivals } from './installer.ts';
import { formatMemory, type MemoryFigure, measureMemory } from './memory.ts';
import { measure, run, watch } from './process.ts';
import { formatResult, type Result, resultOf } from './result.ts';
import { START_WORKLOADS } from './start-workload.ts';
import {
  type Contender,
  type Make,
  WORKLOADS,
  WORKLOADS_OF_LZBT,
  type Workload,
  type Workshop,
} from './workload.ts';

const HELP = `npm run bench -- [--quick] [--only LETTERS] [--json]

  --quick         three runs of each instead of nine
  --only LETTERS  only these workloads, as --only=ab (a to e; g to i with
                  shared images; j to m for disk images; n for what is
                  shipped and how it starts; beside lzbt A to D, as a to d,
                  and E, as g; and f for memory)
  --program FILE  another build of ours instead of one made now
  --json          print a JSON document

LZBT=FILE and UKIFY=FILE name peers to measure beside us.`;

const OWN_WORKLOADS = { ...WORKLOADS, ...IMAGE_WORKLOADS, ...START_WORKLOADS };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: {
      type: 'string',
      default: `${Object.keys({ ...OWN_WORKLOADS, ...WORKLOADS_OF_LZBT }).join('')}f`,
    },
    program: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(HELP);
else await bench(values);

/** What is asked for; `only` are the letters of workloads. */
interface Request {
  readonly quick: boolean;
  readonly only: string;
  readonly program?: string | undefined;
  readonly json: boolean;
}

async function bench({ quick, only, program, json }: Request): Promise<void> {
  const rounds = quick ? 3 : 9;
  const peers = findPeers(process.env);
  const work = workDirectory();
  const print = (text: string) => json || console.log(`${text}\n`);
  print(
    [
      `Node ${process.version}, ${availableParallelism()} CPUs, load ${loadavg()[0]?.toFixed(1)}, Linux ${release()}; ${work}`,
      'medians (smallest–largest) of runs taken in turns; CPU is the mean',
      ...peers.leftOut.map((sentence) => `left out: ${sentence}`),
    ].join('\n'),
  );
  const file = program ? resolve(program) : await bundle();
  const installers = [espalier(file, 'type1')] as const;
  const workshop: Workshop = { work, bundle: file, peers, installers, format: 'type1' };
  const results: Result[] = [];
  for (const [letter, make] of jobs(workshop)) {
    if (!only.includes(letter)) continue;
    const workload = await make();
    const result = await compete(workload, quick ? rounds : (workload.rounds ?? rounds), work);
    rmSync(join(work, letter), { recursive: true });
    results.push(result);
    print(formatResult(result));
  }
  const memory: MemoryFigure[] = only.includes('f') ? await measureMemory(workshop) : [];
  if (memory.length > 0) print(formatMemory(memory));
  if (json) console.log(JSON.stringify({ version: 1, results, memory }, undefined, 2));
}

/** Returns the workloads by their letters, each to be made in its workshop. */
function jobs(alone: Workshop): [letter: string, make: () => ReturnType<Make>][] {
  const inside = (makes: typeof WORKLOADS, workshop: Workshop) =>
    Object.entries(makes).map(([letter, make]): [string, () => ReturnType<Make>] => [
      letter,
      () => make(workshop),
    ]);
  const { bundle: file, peers, work } = alone;
  if (peers.lzbt === undefined) return inside(OWN_WORKLOADS, alone);
  const installers = rivals(file, peers.lzbt, work);
  const beside = { ...alone, installers, format: 'thin, RSA-4096' };
  return [...inside(OWN_WORKLOADS, alone), ...inside(WORKLOADS_OF_LZBT, beside)];
}

/** Makes a directory that lasts as long as this process. */
function workDirectory(): string {
  const parent = join(cacheFolder, 'bench');
  mkdirSync(parent, { recursive: true });
  const work = mkdtempSync(join(parent, 'run-'));
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  return work;
}

/** Lets contenders do a job in turns, so that what else the machine does befalls all of them. */
async function compete(workload: Workload, rounds: number, work: string): Promise<Result> {
  const makeReady = ({ prepare }: Contender): void => {
    prepare();
    // What was removed or written before must not be waited for in the measured run.
    run({ program: 'sync', args: ['-f', work] });
  };
  const runs = [];
  for (const contender of workload.contenders) {
    makeReady(contender);
    measure(contender.commands);
    makeReady(contender);
    const anatomy = await watch(contender.commands);
    const allocated = allocatedBy(contender);
    runs.push({
      name: contender.name,
      anatomy,
      allocated,
      costs: [] as ReturnType<typeof measure>[],
    });
  }
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of workload.contenders.entries()) {
      makeReady(contender);
      runs[index]?.costs.push(measure(contender.commands));
    }
  }
  return resultOf(workload, runs);
}

/** Returns how many bytes of a disk the output takes: holes take none. */
function allocatedBy({ output }: Contender): number | undefined {
  // stat(2) counts in these, whatever the blocks of the file system are.
  return output === undefined ? undefined : statSync(output).blocks * 512;
}
