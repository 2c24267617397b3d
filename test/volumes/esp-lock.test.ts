/** The locks of partitions: one for each, in one order, and all or none. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { FileStat } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { type LockTaker, lockAll, lockEsp } from '../../src/volumes/esp-lock.ts';
import { aRoot } from '../generation/a-generation.ts';
import { aSystem } from './a-system.ts';

const nobody = () => Promise.reject(new Error('nobody waits'));

/** Two directories as partitions, and who locks them. */
async function aTaker(t: TestContext, log: LockTaker['log'] = nobody) {
  const root = aRoot(t);
  const host = nodeDisk();
  const { context } = await aSystem();
  const uid = process.getuid?.() || 1;
  const taker: LockTaker = {
    verb: 'install',
    context: { ...context, host, environment: { XDG_RUNTIME_DIR: root }, uid },
    log,
    lockTimeout: 0,
  };
  const stats = ['one', 'two'].map((name): readonly [string, FileStat | undefined] => {
    const path = join(root, name);
    fs.mkdirSync(path);
    return [path, host.stat(path)];
  });
  return { taker, stats, root };
}

const LOCKED = { code: 'LOCKED' };

test('every partition is locked, and free again when the work is done', async (t) => {
  const { taker, stats } = await aTaker(t);
  const locks = await lockAll(new Map(stats), taker);
  for (const [root, stat] of stats) await assert.rejects(lockEsp(root, stat, taker), LOCKED);
  locks[Symbol.dispose]();
  for (const [root, stat] of stats) (await lockEsp(root, stat, taker)).release();
});

test('when one of them is held, none stays locked', async (t) => {
  const { taker, stats } = await aTaker(t);
  const inOrder = stats.toSorted(([, a], [, b]) =>
    (a?.inode ?? 0).toString(16) < (b?.inode ?? 0).toString(16) ? -1 : 1,
  );
  const [first, last] = inOrder;
  assert.ok(first && last);
  using _held = await lockEsp(...last, taker);
  await assert.rejects(lockAll(new Map(inOrder), taker), LOCKED);
  (await lockEsp(...first, taker)).release();
});

test('whatever order they are named in, they are locked in one', async (t) => {
  const { taker, stats, root } = await aTaker(t);
  const order = async (given: typeof stats) => {
    const taken: string[] = [];
    const host = nodeDisk();
    const create: typeof host.create = (path, readers) => {
      if (path.endsWith('.holder')) taken.push(path);
      return host.create(path, readers);
    };
    const context = { ...taker.context, host: { ...host, create } };
    using _locks = await lockAll(new Map(given), { ...taker, context });
    return taken;
  };
  const once = await order(stats);
  assert.equal(once.length, 2);
  assert.deepEqual(await order(stats.toReversed()), once);
  assert.ok(once.every((path) => path.startsWith(root)));
});

test('an ESP is the same one under every name: its lock is named by device and inode', async (t) => {
  const { taker, stats } = await aTaker(t);
  const [[, stat] = []] = stats;
  using _held = await lockEsp('/efi', stat, taker);
  await assert.rejects(lockEsp('/boot', stat, taker), LOCKED);
  assert.ok(stat);
  for (const field of ['device', 'inode'] as const) {
    (await lockEsp('/efi', { ...stat, [field]: stat[field] + 1 }, taker)).release();
  }
});

test('who waits says so once, and for whom', async (t) => {
  const told: unknown[] = [];
  const note = (...words: readonly unknown[]) => void told.push(words);
  const log = async () => ({ debug: note, info: note, warn: note, error: note });
  const { taker, stats } = await aTaker(t, log);
  const [[root, stat] = ['']] = stats;
  const held = await lockEsp(root, stat, taker);
  const waiting = lockEsp(root, stat, { ...taker, lockTimeout: 60 });
  while (told.length === 0) await new Promise(setImmediate);
  held.release();
  (await waiting).release();
  assert.equal(told.length, 1);
  assert.match(JSON.stringify(told), /install, process/);
});
