/**
 * `npm run lab`: cuts the power at every block that a run writes, and at many that a disk may have
 * written in another order, lets every operation fail, and judges what is left. Long by default.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { bundle } from '../../tools/bundle.ts';
import { examineFaults, formatRows } from '../fault/examine.ts';
import { cacheFolder, ensureParts } from '../lab/parts.ts';
import { ensureTools, installCommand } from '../lab/tools.ts';
import type { CaseRequest, Figures, Thoroughness } from './case.ts';
import { formatFigures, formatFindings } from './figures.ts';
import { runImageCase } from './image-case.ts';
import { makeWorld, SCENARIOS } from './scenario.ts';
import { smallPayload } from './world.ts';

const HELP = `npm run lab -- [--quick] [--scenario NAME]... [--seed N] [--json]

  --quick          fewer reorderings, boots and guests: below ten minutes
  --scenario NAME  only this one; may be given more than once
  --seed N         of the samples; the same seed takes the same ones of the same log (default: 1)
  --json           print a JSON document

scenarios:
${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(18)}${about}`).join('\n')}`;

const LONG = { samples: 150, boots: 5, guests: 10, again: 2 };
const QUICK = { samples: 8, boots: 1, guests: 2, again: 0 };
const TOOLS = [
  'qemu-system-x86',
  'mtools',
  'dosfstools',
  'binutils',
  'sbsigntool',
  'openssl',
  'strace',
] as const;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    scenario: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(HELP);
else process.exitCode = await lab(values);

interface Request {
  readonly quick: boolean;
  readonly scenario: readonly string[];
  readonly seed: string;
  readonly json: boolean;
}

/** Runs the cases and returns the exit status: 1 when there are findings, 2 when they cannot be run. */
async function lab({ quick, scenario: names, seed, json }: Request): Promise<number> {
  const unknown = names.filter((name) => !SCENARIOS.some((each) => each.name === name));
  const missing = ensureTools(TOOLS);
  if (unknown.length > 0 || missing.length > 0 || !/^\d+$/.test(seed)) {
    console.error(missing.length > 0 ? `install the tools: ${installCommand(missing)}` : HELP);
    return 2;
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  const say = (text: string) => console.error(text);
  const folder = workFolder(existsSync('/dev/shm') ? '/dev/shm' : cacheFolder);
  const parts = ensureParts((what) => say(`fetching ${what}`));
  const program = await bundle(join(folder, 'espalier.mjs'));
  const workshop = { parts, folder, worlds: workFolder(tmpdir()), bundle: program };
  const thoroughness: Thoroughness = { seed: Number(seed), ...(quick ? QUICK : LONG) };
  const wanted = SCENARIOS.filter(({ name }) => names.length === 0 || names.includes(name));
  const queue = [...wanted.entries()];
  const results: Figures[][] = [];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const [index, { name }] = next;
      const figures = await runInThread({ name, workshop, thoroughness });
      for (const line of figures.flatMap(formatFindings)) say(line);
      results[index] = figures;
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const all = [...results.flat(), ...(await imageCases(wanted, workshop, thoroughness, say))];
  const faults = await examineFaults(wanted, { folder, program, quick, say });
  if (json)
    console.log(
      JSON.stringify(
        { version: 1, seed: Number(seed), quick, scenarios: all, faults },
        undefined,
        2,
      ),
    );
  else console.log(`${formatFigures(all)}\n\n${formatRows(faults)}`);
  return [...all, ...faults].some(({ findings }) => findings.length > 0) ? 1 : 0;
}

/** The same scenarios onto disk images: no machine is needed for these, so they take seconds. */
async function imageCases(
  wanted: typeof SCENARIOS,
  { folder, worlds }: CaseRequest['workshop'],
  thoroughness: Thoroughness,
  say: (text: string) => void,
): Promise<Figures[]> {
  const all: Figures[] = [];
  for (const scenario of wanted) {
    const world = await makeWorld(scenario, join(worlds, `${scenario.name}.image`), smallPayload());
    const figures = await runImageCase(scenario, world, folder, thoroughness);
    for (const line of formatFindings(figures)) say(line);
    all.push(figures);
  }
  return all;
}

function runInThread(request: CaseRequest): Promise<Figures[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(join(import.meta.dirname, 'case-worker.ts'), { workerData: request });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** Makes a directory that lasts as long as this process. */
function workFolder(parent: string): string {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'espalier-crash-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
