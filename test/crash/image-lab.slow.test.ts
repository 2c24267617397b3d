/** The bounded part of the crash lab on disk images: every prefix of our own writes is judged. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { missingTools } from '../lab/tools.ts';
import { formatFindings } from './figures.ts';
import { runImageCase } from './image-case.ts';
import { makeWorld, SCENARIOS } from './scenario.ts';
import { smallPayload } from './world.ts';

const missing = missingTools(['mtools', 'dosfstools', 'binutils']);
const skip = missing.length > 0 && `needs ${missing.join(', ')}`;

/** Directories are made, an entry goes, and both loaders are replaced. */
const BOUNDED = ['first-install', 'limit-reached', 'loader-upgrade'];

suite('whenever power fails while an image is written', () => {
  const memory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(memory, 'espalier-images-'));
  const worlds = mkdtempSync(join(tmpdir(), 'espalier-worlds-'));
  after(() => {
    for (const made of [folder, worlds]) rmSync(made, { recursive: true, force: true });
  });

  for (const scenario of SCENARIOS.filter(({ name }) => BOUNDED.includes(name))) {
    test(`${scenario.name}: it boots what was whole, and the next run heals the rest`, {
      skip,
    }, async () => {
      const world = await makeWorld(scenario, join(worlds, scenario.name), smallPayload());
      const found = await runImageCase(scenario, world, folder, { seed: 1, samples: 3 });
      assert.ok(found.prefixes > 20 && found.reorderings > 5, 'there was something to judge');
      assert.deepEqual(found.findings, [], formatFindings(found).join('\n'));
    });
  }
});
