/** Several ESPs: one transaction each, one survey and one signature for all. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { aMachine, type Machine, type Ran, type RunOptions } from './a-machine.ts';

function aMirror(machine: Machine, name = 'mirror'): string {
  const path = join(machine.root, name);
  fs.mkdirSync(path);
  return path;
}

function install(machine: Machine, mirror: string, options: RunOptions = {}): Promise<Ran> {
  const args = [...machine.arguments(), '--esp', mirror, '--allow-unsigned', '--quiet', '--json'];
  return machine.runWith(options, 'install', ...args);
}

test('every ESP gets the same tree', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  const mirror = aMirror(machine);
  const { status, output } = await install(machine, mirror);
  assert.equal(status, 0);
  assert.deepEqual(machine.tree(mirror), machine.tree());
  assert.deepEqual(
    JSON.parse(output).esps.map(({ esp }: { esp: string }) => esp),
    [machine.esp, mirror],
  );
});

test('an ESP given twice is one ESP', async (t) => {
  const machine = aMachine(t);
  const { output } = await install(machine, machine.esp);
  assert.equal(JSON.parse(output).esps.length, 1);
});

test('a mirror that is not there degrades the run and does not stop the primary', async (t) => {
  const machine = aMachine(t);
  const { status, output } = await install(machine, join(machine.root, 'unplugged'));
  assert.equal(status, 5);
  assert.deepEqual(machine.installed(), [1]);
  const [primary, mirror] = JSON.parse(output).esps;
  assert.equal(primary.error, undefined);
  assert.equal(mirror.error.code, 'ESP_NOT_MOUNTED');
  assert.match(mirror.error.hint, /mount the ESP/);
});

test('a mirror that fails half way degrades the run, and is healed by the next', async (t) => {
  const machine = aMachine(t);
  const mirror = aMirror(machine);
  const disk = nodeDisk();
  const failing = {
    rename(from: string, to: string) {
      if (to.startsWith(mirror)) throw new EspError('IO', `${to}: bad sector`);
      disk.rename(from, to);
    },
  };
  const { status, output } = await install(machine, mirror, { disk: failing });
  assert.equal(status, 5);
  assert.match(JSON.parse(output).esps[1].error.message, /bad sector/);
  assert.deepEqual(machine.installed(), [1]);
  assert.equal((await install(machine, mirror)).status, 0);
  assert.deepEqual(machine.tree(mirror), machine.tree());
});

test('a primary that is refused ends the run with its own status, and the mirror is served', async (t) => {
  const machine = aMachine(t);
  const mirror = aMirror(machine);
  machine.put('loader/entries.srel', 'type2');
  const { status, error } = await install(machine, mirror);
  assert.equal(status, 3);
  assert.equal(error?.code, 'FOREIGN_LAYOUT');
  assert.equal(Object.keys(machine.tree()).length, 1);
  assert.ok(Object.keys(machine.tree(mirror)).length > 3);
});
