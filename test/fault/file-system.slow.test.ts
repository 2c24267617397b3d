/** Small file systems: what the kernel says when one is full, read-only or gone in the middle of a run. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { FAULTY } from '../crash/scenario.ts';
import { attempt, run } from '../lab/run.ts';
import { isRoot } from '../lab/tools.ts';
import { isUnhurried } from '../property/bounds.ts';
import {
  CLUSTER,
  EXT4,
  empty,
  fill,
  interrupted,
  type Kind,
  onFileSystem,
  TMPFS,
  used,
} from './file-system.ts';
import { aPathInMemory } from './in-memory.ts';
import { broken, isSame } from './judge.ts';
import { operationsOf } from './port.ts';
import { DONE, type Ended, play, type Stage, setStage, treeOf } from './stage.ts';

const skip = !isRoot() && 'needs root to mount small file systems';

/** Enough for everything. Bytes. */
const ENOUGH = 4 << 20;

/** One that removes, one that has to remove first, and one that copies. */
const NAMES = ['limit-reached', 'free-first', 'shared-files'];
const CHOSEN = FAULTY.filter(({ name }) => isUnhurried || NAMES.includes(name));

/** What a run left on the ESP, without what only fills it. */
function treeNow({ world }: Stage) {
  return new Map(
    [...treeOf(world.esp)].filter(
      ([path]) => path !== 'filler.bin' && !path.startsWith('lost+found'),
    ),
  );
}

function promises(stage: Stage, ended: Ended): string[] {
  return broken({ stage, ended, now: treeNow(stage) }).map(
    (promise) => `${promise}; status ${ended.status} ${ended.message}`,
  );
}

async function heals(stage: Stage): Promise<void> {
  const healed = await play(stage);
  assert.ok(DONE.includes(healed.status), healed.message);
  assert.ok(isSame(treeNow(stage), stage.right), 'the next run heals it');
}

/** Tries something at every moment of a run, or at some: before each operation that changes the disk. */
async function atEveryMoment(
  stage: Stage,
  kind: Kind,
  happens: (stage: Stage) => unknown,
  after: (stage: Stage) => unknown,
): Promise<void> {
  const count = (await operationsOf(stage, 'writing')).length;
  for (let at = 0; at < count; at += isUnhurried ? 1 : 5) {
    await onFileSystem(stage, kind, ENOUGH, async () => {
      let happened = false;
      const now = () => {
        happened = true;
        happens(stage);
      };
      const ended = await play(stage, (disk) => interrupted(disk, at, now));
      if (happened) after(stage);
      assert.deepEqual(promises(stage, ended), [], `at operation ${at} of ${count}`);
      await heals(stage);
    });
  }
}

describe('an ESP', { skip }, () => {
  for (const scenario of CHOSEN) {
    test(`of any size, from none to enough: ${scenario.name}`, async (t) => {
      const stage = { ...(await setStage(scenario, aPathInMemory(t))), free: undefined };
      const least = used(stage.pristine) + CLUSTER;
      const statuses = new Set<number | undefined>();
      for (let size = least; ; size += CLUSTER * (isUnhurried ? 1 : 5)) {
        const ended = await onFileSystem(stage, TMPFS, size, async () => {
          const ended = await play(stage);
          assert.deepEqual(promises(stage, ended), [], `${size} bytes`);
          run('mount', ['-o', `remount,size=${ENOUGH}`, stage.world.esp]);
          await heals(stage);
          return ended;
        });
        statuses.add(ended.status);
        if (DONE.includes(ended.status)) break;
      }
      const expected = new Set([1, 4, ...DONE]);
      assert.deepEqual(
        [...statuses].filter((status) => !expected.has(status)),
        [],
      );
    });

    for (const kind of [TMPFS, EXT4]) {
      test(`that somebody fills in the middle of a run, ${kind.name}: ${scenario.name}`, async (t) => {
        const stage = { ...(await setStage(scenario, aPathInMemory(t))), free: undefined };
        await atEveryMoment(
          stage,
          kind,
          ({ world }) => fill(world.esp),
          ({ world }) => empty(world.esp),
        );
      });
    }

    test(`that is unmounted in the middle of a run: ${scenario.name}`, async (t) => {
      const stage = { ...(await setStage(scenario, aPathInMemory(t))), free: undefined };
      const { esp } = stage.world;
      const elsewhere = `${esp}.elsewhere`;
      fs.mkdirSync(elsewhere);
      await atEveryMoment(
        stage,
        TMPFS,
        () => {
          run('mount', ['--bind', esp, elsewhere]);
          run('umount', ['--lazy', esp]);
        },
        () => {
          run('mount', ['--bind', elsewhere, esp]);
          run('umount', [elsewhere]);
        },
      );
    });

    test(`that becomes read-only in the middle of a run: ${scenario.name}`, async (t) => {
      const stage = { ...(await setStage(scenario, aPathInMemory(t))), free: undefined };
      const { esp } = stage.world;
      await atEveryMoment(
        stage,
        TMPFS,
        // The kernel refuses while a file is open for writing: then nothing happens at this moment.
        () => attempt('mount', ['-o', 'remount,ro', esp]),
        () => run('mount', ['-o', 'remount,rw', esp]),
      );
    });
  }
});
