/** One watcher for each set of ESPs, however they are named. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { claimEsps } from '../../src/service/claim.ts';
import { aMachine } from '../command/a-machine.ts';
import { aService } from './a-watcher.ts';

describe('a claim', () => {
  test('on the same ESPs is refused with the name of who holds it, until that gives it up', async (t) => {
    const { settings, context } = await aService(aMachine(t));
    const first = await claimEsps(settings, context);
    await assert.rejects(claimEsps(settings, context), {
      code: 'LOCKED',
      message: /watch, process/,
    });
    first.lock.release();
    (await claimEsps(settings, context)).lock.release();
  });

  test('on an ESP is the same through a link, and in another order', async (t) => {
    const machine = aMachine(t);
    const [link, mirror] = ['link', 'mirror'].map((name) => join(machine.root, name));
    assert.ok(link && mirror);
    fs.symlinkSync(machine.esp, link);
    fs.mkdirSync(mirror);
    const one = await aService(machine, { esp: [machine.esp, mirror] });
    const two = await aService(machine, { esp: [mirror, link] });
    const first = await claimEsps(one.settings, one.context);
    await assert.rejects(claimEsps(two.settings, two.context), { code: 'LOCKED' });
    first.lock.release();
  });

  test('on other ESPs is another one', async (t) => {
    const machine = aMachine(t);
    const mirror = join(machine.root, 'mirror');
    fs.mkdirSync(mirror);
    const one = await aService(machine);
    const two = await aService(machine, { esp: [mirror] });
    const claims = [
      await claimEsps(one.settings, one.context),
      await claimEsps(two.settings, two.context),
    ];
    assert.notEqual(claims[0]?.key, claims[1]?.key);
    for (const { lock } of claims) lock.release();
  });

  test('that is held already stays, and gives way to one on other ESPs', async (t) => {
    const machine = aMachine(t);
    const { settings, context } = await aService(machine);
    const held = await claimEsps(settings, context);
    assert.equal(await claimEsps(settings, context, held), held);
    const other = await aService(machine, { esp: [join(machine.root, 'booted')] });
    const next = await claimEsps(other.settings, other.context, held);
    const again = await claimEsps(settings, context);
    for (const { lock } of [next, again]) lock.release();
  });
});
