/** Writes that the kernel does in part: the rest is asked for, or the run fails, and half is never whole. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { type TestContext, test } from 'node:test';
import { FAULTY } from '../crash/scenario.ts';
import { aPathInMemory } from './in-memory.ts';
import { broken, isSame } from './judge.ts';
import { DONE, play, reset, type Stage, setStage, treeOf } from './stage.ts';

const named = (name: string) => FAULTY.find((scenario) => scenario.name === name) ?? assert.fail();

/** Changes how much of a write is done: `lengthOf` is told which one it is, and how much is asked for. */
function writing(t: TestContext, lengthOf: (index: number, length: number) => number) {
  const { writeSync } = fs;
  let count = 0;
  const part = (...[fd, bytes, offset, length, position]: Part) => {
    // Only our own writes say where. Others are of texts that are replaced as a whole.
    if (typeof position !== 'number') return writeSync(fd, bytes, offset, length, position);
    const done = lengthOf(count++, length ?? 0);
    return done > 0 ? writeSync(fd, bytes, offset, done, position) : 0;
  };
  const mock = t.mock.method(fs, 'writeSync', part);
  syncBuiltinESMExports();
  const restore = () => {
    mock.mock.restore();
    syncBuiltinESMExports();
  };
  t.after(restore);
  return { restore };
}

type Part = [fd: number, bytes: Uint8Array, offset?: number, length?: number, position?: number];

async function judge(stage: Stage): Promise<number | undefined> {
  reset(stage);
  const ended = await play(stage);
  const now = treeOf(stage.world.esp);
  assert.deepEqual(broken({ stage, ended, now }), [], ended.message);
  return ended.status;
}

for (const name of ['new-generation', 'key-rotation', 'shared-files']) {
  test(`a kernel that never writes more than 1000 bytes at a time writes all the same: ${name}`, async (t) => {
    const stage = await setStage(named(name), aPathInMemory(t));
    writing(t, (_, length) => Math.min(length, 1000));
    assert.ok(DONE.includes(await judge(stage)));
  });

  test(`a write to the ESP of which nothing is done fails, whichever it is: ${name}`, async (t) => {
    const stage = await setStage(named(name), aPathInMemory(t));
    let writes = 0;
    const counting = writing(t, (_, length) => {
      writes++;
      return length;
    });
    await judge(stage);
    counting.restore();
    assert.ok(writes > 1);
    // The first one is the note beside the lock, which is for people and decides nothing.
    for (let at = 1; at < writes; at++) {
      const failing = writing(t, (index, length) => (index === at ? 0 : length));
      assert.equal(await judge(stage), 1, `write ${at}`);
      failing.restore();
      await play(stage);
      assert.ok(isSame(treeOf(stage.world.esp), stage.right), 'the next run heals it');
    }
  });
}

test('a copy that ends early and says nothing is found out', async (t) => {
  const stage = await setStage(named('shared-files'), aPathInMemory(t));
  const copying = t.mock.method(fs.promises, 'copyFile', async (from: string, to: string) => {
    const bytes = fs.readFileSync(from);
    fs.writeFileSync(to, bytes.subarray(0, bytes.length - 1), { flag: 'wx' });
  });
  assert.equal(await judge(stage), 1);
  copying.mock.restore();
  assert.ok(DONE.includes(await judge(stage)));
});
