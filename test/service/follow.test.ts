/** A pass of the watcher: what it does, what it remembers, and whose choice of what boots next stands. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { type Memory, statusOf } from '../../src/service/follow.ts';
import { noticesOf } from '../../src/service/notices.ts';
import { lockAll } from '../../src/volumes/esp-lock.ts';
import { openTarget } from '../../src/volumes/volumes.ts';
import { aMachine, type Machine } from '../command/a-machine.ts';
import { aService, passOver } from './a-watcher.ts';

const LOADER_CONF = 'loader/loader.conf';

/** Moves the ESP away, as one that is unmounted, or back. */
const away = (machine: Machine) => fs.renameSync(machine.esp, `${machine.esp}.away`);
const back = (machine: Machine) => fs.renameSync(`${machine.esp}.away`, machine.esp);

/** A machine with two generations, in line, on which a person then chose the first. */
async function chosen(...args: Parameters<typeof aMachine>) {
  const [t, shape = { generations: [{}, {}] }] = args;
  const machine = aMachine(t, shape);
  const { memory } = await passOver(machine);
  await machine.run('install', machine.toplevel(1));
  assert.equal(machine.next(), 1);
  return { machine, memory };
}

describe('a pass', () => {
  test('brings the ESP in line and remembers what boots next', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    const { memory, settled } = await passOver(machine);
    assert.equal(settled, true);
    assert.deepEqual(machine.installed(), [1, 2]);
    assert.match(memory.followed ?? '', /^nixos-generation-2-/);
    assert.equal(memory.next, memory.followed);
    assert.equal(memory.wasAway, false);
    assert.match(memory.standing ?? '', /^nixos-generation-2-.* boots next, .* free$/);
    assert.match(memory.change ?? '', /^\d+ written, 0 removed at 2023-11-14T22:13:20.000Z$/);
  });

  test('that finds nothing to do remembers the last change', async (t) => {
    const machine = aMachine(t);
    const { memory } = await passOver(machine);
    const again = await passOver(machine, memory);
    assert.equal(again.settled, true);
    assert.deepEqual(again.memory, memory);
  });

  test('that was told to end is not settled', async (t) => {
    const machine = aMachine(t);
    const { memory, settled } = await passOver(machine, undefined, { signal: AbortSignal.abort() });
    assert.equal(settled, false);
    assert.equal(memory.followed, undefined);
    assert.deepEqual(machine.installed(), []);
  });

  test('without its ESP is not settled, and forgets nothing but that it was there', async (t) => {
    const machine = aMachine(t);
    const before = await passOver(machine);
    away(machine);
    const { memory, settled } = await passOver(machine, before.memory);
    assert.equal(settled, false);
    assert.equal(memory.wasAway, true);
    const { followed, next, standing, change } = before.memory;
    assert.deepEqual(
      [memory.followed, memory.next, memory.standing, memory.change],
      [followed, next, standing, change],
    );
    assert.match(statusOf(memory), /no such directory; nixos-generation-1-/);
  });

  test('while a hook holds the lock is not settled and no alarm', async (t) => {
    const machine = aMachine(t);
    const { settings, context } = await aService(machine);
    const log = () => Promise.reject(new Error('nobody waits'));
    const { mounted } = openTarget(machine.esp, settings, context);
    using _held = await lockAll(mounted, { verb: 'install', context, log, lockTimeout: 0 });
    const { memory, settled } = await passOver(machine);
    assert.equal(settled, false);
    assert.deepEqual(
      [...memory.notices.values()].map(({ level, fields }) => [level, fields['code']]),
      [['info', 'LOCKED']],
    );
    assert.equal(memory.wasAway, false);
  });

  test('over profiles that cannot be read is not settled and changes nothing', async (t) => {
    const machine = aMachine(t);
    const { memory } = await passOver(machine);
    const tree = machine.tree();
    fs.rmSync(machine.profiles, { recursive: true });
    const failed = await passOver(machine, memory);
    assert.equal(failed.settled, false);
    assert.equal(failed.memory.followed, memory.followed);
    assert.equal(failed.memory.wasAway, false);
    assert.deepEqual(machine.tree(), tree);
  });

  test('that fails with a bug is not called unsettled', async (t) => {
    const machine = aMachine(t);
    const begin = () => {
      throw new TypeError('a bug');
    };
    const { context } = await aService(machine);
    const buggy = { ...context, progress: { begin, advance: () => undefined } };
    await assert.rejects(passOver(machine, undefined, { context: buggy }), TypeError);
  });
});

describe('what a person chose to boot next', () => {
  test('stands while the profiles stay as they are', async (t) => {
    const { machine, memory } = await chosen(t);
    const { memory: later, settled } = await passOver(machine, memory);
    assert.equal(settled, true);
    assert.equal(machine.next(), 1);
    assert.match(later.next ?? '', /^nixos-generation-1-/);
    assert.match(later.followed ?? '', /^nixos-generation-2-/);
    await passOver(machine, later);
    assert.equal(machine.next(), 1);
  });

  test('ends when the profiles lead to another system', async (t) => {
    const { machine, memory } = await chosen(t);
    machine.generations([{ number: 3, tag: 'third' }]);
    await passOver(machine, memory);
    assert.equal(machine.next(), 3);
  });

  test('is not known to a watcher that has just started: the profiles decide', async (t) => {
    const { machine } = await chosen(t);
    await passOver(machine);
    assert.equal(machine.next(), 2);
  });

  test('stands when the ESP was away and comes back with the choice that was known', async (t) => {
    const { machine, memory } = await chosen(t);
    const { memory: known } = await passOver(machine, memory);
    away(machine);
    const { memory: without } = await passOver(machine, known);
    back(machine);
    const { memory: later } = await passOver(machine, without);
    assert.equal(machine.next(), 1);
    assert.equal(later.wasAway, false);
  });

  test('does not stand when the ESP was away and comes back saying something new', async (t) => {
    const machine = aMachine(t, { generations: [{}, {}] });
    const { memory } = await passOver(machine);
    away(machine);
    const { memory: without } = await passOver(machine, memory);
    assert.equal(without.wasAway, true);
    back(machine);
    await machine.run('install', machine.toplevel(1));
    await passOver(machine, without);
    assert.equal(machine.next(), 2);
  });

  test('does not stand when nothing wants it', async (t) => {
    const { machine, memory } = await chosen(t);
    const other = machine.read(LOADER_CONF).replace(/default \S+/, 'default other.conf');
    machine.put(LOADER_CONF, `${other.trimEnd()}\n`.padEnd(512, '\n'));
    await passOver(machine, memory);
    assert.equal(machine.next(), 2);
  });

  test('is not read from what is no loader.conf: none, and one that is too large', async (t) => {
    const { machine, memory } = await chosen(t);
    const text = machine.read(LOADER_CONF);
    machine.put(LOADER_CONF, text + '#\n'.repeat(40_000));
    await passOver(machine, memory);
    assert.equal(machine.next(), 2);
    fs.rmSync(`${machine.esp}/${LOADER_CONF}`);
    const { settled } = await passOver(machine, memory);
    assert.equal(settled, true);
    assert.equal(machine.next(), 2);
  });
});

describe('the status line', () => {
  const standing = 'x boots next, 9 MiB free';

  test('says how things stand, and what was changed last', () => {
    const memory: Memory = { notices: new Map(), standing, change: '1 written, 0 removed at noon' };
    assert.equal(statusOf(memory), `${standing}; last change: 1 written, 0 removed at noon`);
    assert.equal(statusOf({ notices: new Map(), standing }), standing);
  });

  test('begins with what is wrong, which a warning is not', () => {
    const failure = new EspError('ESP_FULL', 'no room');
    const full = noticesOf([{ root: '/boot', warnings: ['a warning'], failure }]);
    assert.equal(statusOf({ notices: full, standing }), `no room; ${standing}`);
    const warned = noticesOf([{ root: '/boot', warnings: ['a warning'] }]);
    assert.equal(statusOf({ notices: warned, standing }), standing);
  });
});
