/** Which systems are this machine's is remembered where nobody empties caches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recallSystems, rememberSystems } from '../../src/survey/own-systems.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const CACHE = '/var/cache/espalier';
const SYSTEM = '/nix/store/abc-nixos-system-one';
const text = (...systems: readonly string[]) => JSON.stringify({ version: 1, systems });

test('an emptied cache costs no memory of whose entries are whose', async () => {
  const disk = new MemoryDisk({});
  await rememberSystems([SYSTEM], disk, CACHE);
  assert.equal(disk.list(CACHE), undefined);
  assert.deepEqual(recallSystems(disk, CACHE), new Set([SYSTEM]));
});

test('what an earlier version remembered in the cache is taken along', async () => {
  const disk = new MemoryDisk({});
  disk.plant(`${CACHE}/systems.json`, text(SYSTEM));
  assert.deepEqual(recallSystems(disk, CACHE), new Set([SYSTEM]));
  await rememberSystems([SYSTEM], disk, CACHE);
  disk.remove(`${CACHE}/systems.json`);
  assert.deepEqual(recallSystems(disk, CACHE), new Set([SYSTEM]));
});

test('with a cache at another place, it lies there', async () => {
  const disk = new MemoryDisk({});
  await rememberSystems([SYSTEM], disk, '/else/where');
  assert.equal(disk.linkStat('/else/where/systems.json')?.kind, 'file');
});
