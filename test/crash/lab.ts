/**
 * `npm run lab`: cuts the power at every block that a run writes, and at many that a disk may have
 * written in another order, and judges what is left. Long by default.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../build.ts';
import { cacheFolder, ensureParts } from '../lab/parts.ts';
import { ensureTools, installCommand } from '../lab/tools.ts';
import { type Figures, runCase, type Thoroughness } from './case.ts';
import { formatFigures, formatFindings } from './figures.ts';
import { SCENARIOS } from './scenario.ts';

const HELP = `npm run lab -- [--quick] [--scenario NAME]... [--seed N] [--json]

  --quick          fewer reorderings, boots and guests: below ten minutes
  --scenario NAME  only this one; may be given more than once
  --seed N         of the samples; the same seed takes the same ones of the same log (default: 1)
  --json           print a JSON document

scenarios:
${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(18)}${about}`).join('\n')}`;

const LONG = { samples: 150, boots: 5, guests: 10, again: 2 };
const QUICK = { samples: 12, boots: 1, guests: 3, again: 0 };
const TOOLS = [
  'qemu-system-x86',
  'mtools',
  'dosfstools',
  'binutils',
  'sbsigntool',
  'openssl',
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
  const say = (text: string) => console.error(text);
  const folder = workFolder();
  const parts = ensureParts((what) => say(`fetching ${what}`));
  const workshop = { parts, folder, bundle: await bundle(join(folder, 'espalier.mjs')) };
  const thoroughness: Thoroughness = { seed: Number(seed), ...(quick ? QUICK : LONG) };
  const all: Figures[] = [];
  for (const scenario of SCENARIOS.filter(
    ({ name }) => names.length === 0 || names.includes(name),
  )) {
    say(`${scenario.name}: ${scenario.about}`);
    const figures = await runCase(scenario, workshop, thoroughness);
    for (const each of figures) for (const line of formatFindings(each)) say(line);
    all.push(...figures);
  }
  if (json)
    console.log(
      JSON.stringify({ version: 1, seed: Number(seed), quick, scenarios: all }, undefined, 2),
    );
  else console.log(formatFigures(all));
  return all.some(({ findings }) => findings.length > 0) ? 1 : 0;
}

/** Makes a directory that lasts as long as this process, in memory where there is one. */
function workFolder(): string {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : join(cacheFolder, 'crash');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'espalier-crash-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  return folder;
}
