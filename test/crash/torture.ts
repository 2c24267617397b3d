/**
 * `npm run torture`: damages ESPs of every format at random, runs verbs on what is left, and looks for a
 * lie: all is well, or done, where the machine does not start what it should.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureTools, installCommand } from '../lab/tools.ts';
import { DAMAGES } from './damage.ts';
import { formatTorture, type Tally } from './figures.ts';
import { TORTURED, Victim } from './victim.ts';

const HELP = `npm run torture -- [--minutes N] [--world NAME]... [--seed N] [--case N]

  --minutes N   for how long (default: 60)
  --world NAME  only this one; may be given more than once
  --seed N      of the damage; the same seed does the same (default: 1)
  --case N      only this case of each world, and tells what is done in it

worlds: ${TORTURED.map(({ name }) => name).join(', ')}
damage: ${Object.keys(DAMAGES).join(', ')}`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    world: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: '1' },
    case: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) console.log(HELP);
else process.exitCode = await torture(values);

/** Runs case after case until the time is over. Returns the exit status: 1 when there was a lie. */
async function torture(asked: typeof values): Promise<number> {
  const worlds = TORTURED.filter(
    ({ name }) => asked.world.length === 0 || asked.world.includes(name),
  );
  const missing = ensureTools(['openssl', 'sbsigntool', 'binutils']);
  const numbers = [asked.minutes, asked.seed, asked.case ?? '0'].map(Number);
  const [minutes = 0, seed = 0, only = 0] = numbers;
  const isMistaken = worlds.length < Math.max(1, asked.world.length) || numbers.some(Number.isNaN);
  if (isMistaken || missing.length > 0) {
    console.error(missing.length > 0 ? `install the tools: ${installCommand(missing)}` : HELP);
    return 2;
  }
  const folder = workFolder(seed);
  const victims = [];
  for (const world of worlds) victims.push(await Victim.of(world, join(folder, world.name)));
  let end = performance.now() + minutes * 60_000;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (end = 0));
  const isTold = asked.case !== undefined;
  for (let index = only; isTold ? index === only : performance.now() < end; index++) {
    for (const victim of victims) await victim.suffer(seed, index, { say: console.error, isTold });
  }
  const tallies: Tally[] = victims.map(({ tally }) => tally);
  console.log(formatTorture(tallies));
  return tallies.some(({ lies }) => lies > 0) ? 1 : 0;
}

/**
 * Makes a directory, in memory if possible, that lasts as long as this process. Paths are parts of what
 * is installed: the same seed has the same one.
 */
function workFolder(seed: number): string {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = join(parent, `espalier-torture-${seed}`);
  mkdirSync(folder, { recursive: true });
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
