/** A sample of the torture run: no lie, and a detector that finds one. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { missingTools } from '../lab/tools.ts';
import { damageOne } from './damage.ts';
import { LieDetector, type Told } from './lies.ts';
import { randomOf } from './random.ts';
import { readFolder } from './tree.ts';
import { Truth } from './truth.ts';
import { TORTURED, Victim } from './victim.ts';
import { smallPayload, World } from './world.ts';

const missing = missingTools(['openssl', 'sbsigntool', 'binutils']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${missing.join(', ')}`;

suite('damage at random', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-tortured-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const world of TORTURED) {
    test(`${world.name}: nothing is called well or done that does not start`, {
      skip,
    }, async () => {
      const victim = await Victim.of(world, join(folder, world.name));
      const said: string[] = [];
      for (let index = 0; index < 3; index++) {
        await victim.suffer(7, index, { say: (text) => void said.push(text), isTold: false });
      }
      assert.deepEqual(said, []);
      assert.ok(victim.tally.runs >= 9 && Object.keys(victim.tally.damages).length > 1);
    });
  }

  test('the same seed does the same damage', () => {
    const [first, second] = ['first', 'second'].map((name) => {
      const world = new World(join(folder, name), smallPayload());
      world.put('EFI/a.efi', world.payload.loader('257'));
      world.put('loader/b.conf', 'timeout 5\n');
      const random = randomOf(1, 'damage');
      return Array.from({ length: 9 }, () => damageOne(world.esp, random)?.text);
    });
    assert.deepEqual(first, second);
  });

  test('whoever calls a cut image well, or touches what is not ours, is found out', {
    skip,
  }, () => {
    const world = new World(join(folder, 'lied-to'), smallPayload());
    world.brings('257');
    world.generation(1);
    world.run(['install', ...world.settings()]);
    world.put('EFI/nixos/notes.txt', 'notes\n');
    const good = readFolder(world.esp);
    const detector = new LieDetector(new Truth(world, good, good));
    const told = (difference: Partial<Told>): readonly string[] => {
      const after = readFolder(world.esp);
      return detector.lies({ verb: 'verify', status: 0, before: after, after, ...difference });
    };
    assert.deepEqual(told({}), []);
    const before = readFolder(world.esp);
    world.put('EFI/nixos/notes.txt', 'other notes\n');
    assert.deepEqual(told({ verb: 'install', before }), ['touched EFI/nixos/notes.txt']);
    truncateSync(join(world.esp, world.find(/Linux/)), 900);
    assert.match(told({}).join(), /all is well, with .*: size.*does not start/);
    assert.match(told({ status: 5 }).join(), /does not start/);
    assert.deepEqual(told({ status: 1 }), []);
    const repaired: Told = { verb: 'repair', status: 0, before, after: readFolder(world.esp) };
    const verified: Told = { ...repaired, verb: 'verify', status: 1, before: repaired.after };
    assert.deepEqual(detector.lies(verified, repaired), ['repair left that']);
  });
});
