/** What has a colour: what is wrong, what is next, what goes away. The words say it as well. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { aVerityBench, build } from '../image/an-image.ts';
import { aMachine } from './a-machine.ts';

test('plan shows what goes away, what boots next and what is wrong', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  await machine.run('install');
  const [old = ''] = machine.paths(/generation-1-/);
  const [next = ''] = machine.paths(/generation-2-/);
  const { meant, output } = await machine.run('plan', '--limit', '1', machine.toplevel(2));
  assert.ok(meant.includes(`caution: - ${old}`), output);
  assert.ok(meant.includes(`heading: ${next.replace(/.*\//, '')}`), output);
  machine.put('loader/entries.srel', 'type2\n');
  const failed = await machine.run('plan');
  assert.match(failed.meant.join('\n'), /^bad: .*entries\.srel: expected type1/m);
});

test('keys status shows what firmware lacks and what is wrong', async (t) => {
  const machine = aMachine(t);
  machine.variable('SecureBoot', 'global', Uint8Array.of(0));
  const keys = join(machine.root, 'keys');
  fs.mkdirSync(keys);
  fs.writeFileSync(join(keys, 'db.pem'), 'x');
  const args = ['keys', 'status', keys, ...machine.arguments()];
  const { meant, output } = await machine.runWith({}, ...args);
  assert.ok(meant.includes('caution: off'), output);
});

test('image inspect shows what is wrong', async (t) => {
  const bench = aVerityBench(t);
  const [, hash] = await build(bench, 'a.raw');
  const image = fs.openSync(bench.path('a.raw'), 'r+');
  // The hash area behind its superblock.
  fs.writeSync(image, new Uint8Array(64).fill(1), 0, 64, (hash?.offset ?? 0) + 4096);
  fs.closeSync(image);
  const inspect = ['image', 'inspect', bench.path('a.raw'), '--deep'];
  const { output, meant } = await aMachine(t).runWith({}, ...inspect);
  assert.ok(meant.includes('bad: problem'), output);
  assert.ok(meant.includes('bad: nothing'), output);
});
