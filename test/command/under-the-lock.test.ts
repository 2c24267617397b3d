/** What is decided under the lock is decided anew: others may have changed ESP and profiles before it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { aMachine, type Machine } from './a-machine.ts';

/** Installs; `meanwhile` happens after the first look and before the lock is taken. */
async function install(machine: Machine, meanwhile: () => void) {
  const disk = nodeDisk();
  const locks = join(machine.root, 'espalier');
  let happened = false;
  const makeDirectory: typeof disk.makeDirectory = (path, readers) => {
    if (path === locks && !happened) {
      happened = true;
      meanwhile();
    }
    disk.makeDirectory(path, readers);
  };
  const args = ['install', ...machine.arguments(), '--allow-unsigned', '--quiet'];
  const ran = await machine.runWith({ disk: { makeDirectory } }, ...args);
  assert.ok(happened, 'no lock was taken');
  return ran;
}

test('a generation that is made while the lock is waited for is installed and boots next', async (t) => {
  const machine = aMachine(t, { generations: [{}] });
  const { status } = await install(machine, () => machine.generations([{}, {}]));
  assert.equal(status, 0);
  assert.deepEqual(machine.installed(), [1, 2]);
  assert.equal(machine.next(), 2);
});

test('a generation that is deleted while the lock is waited for gets no entry', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  await install(machine, () => fs.unlinkSync(machine.link(1)));
  assert.deepEqual(machine.installed(), [2]);
});

test('what another run installed while the lock was waited for is not written again', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  const installed = machine.tree();
  const aside = join(machine.root, 'aside');
  fs.renameSync(machine.esp, aside);
  fs.mkdirSync(machine.esp);
  const { output } = await install(machine, () => {
    fs.cpSync(aside, machine.esp, { recursive: true });
  });
  assert.match(output, /nothing to do; boots next: nixos-generation-1-/);
  assert.deepEqual(machine.tree(), installed);
});
