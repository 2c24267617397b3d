/** A survey is of one moment, whatever others do to the profiles while it is made. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { aMachine, type Machine } from '../command/a-machine.ts';

/** Runs install, and does something else when it first reads the document of a generation. */
function interrupted(machine: Machine, happens: () => void) {
  const disk = nodeDisk();
  let isFirst = true;
  const read = (path: string, limit: number) => {
    if (isFirst && path.endsWith('/boot.json')) {
      isFirst = false;
      happens();
    }
    return disk.read(path, limit);
  };
  const args = [...machine.arguments(), '--allow-unsigned', '--quiet'];
  return machine.runWith({ disk: { read } }, 'install', ...args);
}

test('a switch and a deletion in the middle of it leave no target that is gone', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  const { status } = await interrupted(machine, () => {
    machine.generations([{}, {}, {}]);
    fs.unlinkSync(machine.link(1));
    fs.unlinkSync(machine.link(2));
  });
  assert.equal(status, 0);
  assert.deepEqual(machine.installed(), [3]);
  assert.equal(machine.next(), 3);
});

test('a generation that is deleted in the middle of it is not told as broken', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  const { status } = await interrupted(machine, () => fs.unlinkSync(machine.link(1)));
  assert.equal(status, 0);
  assert.deepEqual(machine.installed(), [2]);
});
