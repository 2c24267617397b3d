/** The bounded part of the crash lab: a few scenarios at every block, and proof that the lab can fail. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { once, theParts, whatIsMissing } from '../boot/installed.ts';
import { type Figures, runCase, type Thoroughness } from './case.ts';
import { formatFindings } from './figures.ts';
import { bundleInverted, INVERSIONS } from './inversion.ts';
import { SCENARIOS } from './scenario.ts';

const skip = whatIsMissing([
  'qemu-system-x86',
  'mtools',
  'dosfstools',
  'binutils',
  'sbsigntool',
  'openssl',
]);

const LEAST: Thoroughness = { seed: 1, samples: 6, boots: 0, guests: 0, again: 0 };
/** A new entry and a removal, all loaders, and files that entries share. */
const BOUNDED: Readonly<Record<string, Partial<Thoroughness>>> = {
  'limit-reached': { boots: 1, guests: 1 },
  'previous-loader': { guests: 1 },
  'shared-files': { isSmall: true },
};

suite('whenever power fails', () => {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(memory, 'espalier-crash-'));
  const worlds = mkdtempSync(join(tmpdir(), 'espalier-worlds-'));
  after(() => {
    for (const made of [folder, worlds]) rmSync(made, { recursive: true, force: true });
  });
  const whole = once(() => bundle(join(folder, 'espalier.mjs')));

  for (const [name, more] of Object.entries(BOUNDED)) {
    test(`${name}: the machine boots what was whole, and the next run heals the rest`, {
      skip,
    }, async () => {
      const found = await run(name, await whole(), { ...LEAST, ...more });
      assert.ok(found.prefixes > 10 && found.reorderings > 10, 'there was something to judge');
      assert.deepEqual(found.findings, [], formatFindings(found).join('\n'));
    });
  }

  for (const inversion of INVERSIONS) {
    test(`the lab finds it when ${inversion.name}`, { skip }, async () => {
      const inverted = await bundleInverted(inversion, join(folder, 'inverted.mjs'));
      const { findings } = await run(inversion.scenario, inverted, { ...LEAST, isSmall: true });
      const right = findings.filter(
        ({ clause, what }) => clause === inversion.breaks && inversion.what.test(what),
      );
      assert.ok(right.length > 0, JSON.stringify(findings.slice(0, 5)));
    });
  }

  async function run(name: string, program: string, thoroughness: Thoroughness): Promise<Figures> {
    const scenario = SCENARIOS.find((each) => each.name === name);
    assert.ok(scenario, name);
    const workshop = { parts: theParts(), bundle: program, folder, worlds };
    const [figures] = await runCase(scenario, workshop, thoroughness);
    assert.ok(figures);
    return figures;
  }
});
