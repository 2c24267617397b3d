/** The theorem: wherever power fails, and whatever of the last changes is lost, the machine boots. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Ran, run, type Tree } from './a-world.ts';
import { anyLife } from './any-world.ts';
import { bounds, isUnhurried } from './bounds.ts';
import { type Chapter, isTight, live } from './life.ts';
import {
  bootable,
  defaultOf,
  differences,
  idOf,
  isOurs,
  isSame,
  LOADERS,
  startsFrom,
} from './truths.ts';

const CONF = 'loader/loader.conf';

/** A run that went well, and the ESP at one moment of it at which power failed. */
interface Crash {
  readonly before: Tree;
  readonly after: Tree;
  readonly crashed: Tree;
}

/** What holds at every moment. */
const truths: Readonly<Record<string, (crash: Crash) => void>> = {
  'an entry that boots is there, if one was': ({ before, crashed }) => {
    if (bootable(before).length > 0) assert.notDeepEqual(bootable(crashed), []);
  },
  'what booted before and is to boot afterwards boots in between': ({ before, after, crashed }) => {
    const [last, now] = [new Set(bootable(after)), new Set(bootable(crashed))];
    for (const path of bootable(before)) assert.ok(now.has(path) || !last.has(path), path);
  },
  'a copy of the loader is whole, if one was': ({ before, after, crashed }) => {
    const isWhole = (path: string) =>
      [before, after].some(
        (tree) => startsFrom(tree, path) && isSame(tree.get(path), crashed.get(path)),
      );
    if (LOADERS.some((path) => startsFrom(before, path))) assert.ok(LOADERS.some(isWhole));
  },
  'a default that this run has set names an entry that boots': ({ before, after, crashed }) => {
    const id = defaultOf(crashed);
    if (id !== defaultOf(after) || id === defaultOf(before)) return;
    assert.ok(
      bootable(crashed)
        .map(idOf)
        .includes(id ?? ''),
      id,
    );
  },
  'a loader.conf of one sector is the old one or the new one': ({ before, after, crashed }) => {
    if (before.get(CONF)?.length !== 512) return;
    const found = crashed.get(CONF);
    assert.ok(isSame(found, before.get(CONF)) || isSame(found, after.get(CONF)));
  },
  'nothing foreign changed': ({ before, crashed }) => {
    for (const [path, bytes] of before) {
      if (!isOurs(path)) assert.ok(isSame(bytes, crashed.get(path)), path);
    }
  },
};

/** Operations of one run at which power fails in turn; with time to spend, all of them. */
const POINTS = isUnhurried ? Number.POSITIVE_INFINITY : 14;

/** Fails the power in the middle of one operation after another, from the first to the last. */
async function crashHere(chapter: Chapter, seeds: readonly number[]): Promise<void> {
  const { world, before, ran } = chapter;
  const stride = Math.max(1, ran.operations / POINTS);
  const offset = (seeds[0] ?? 0) % stride;
  for (let count = 0; count * stride + offset < ran.operations; count++) {
    const failAt = Math.floor(count * stride + offset);
    const seed = seeds[count % seeds.length] ?? 0;
    const crashed = await run(world, before, { failAt, seed });
    const where = `power fails in operation ${failAt} of ${ran.operations}, seed ${seed}`;
    for (const [promise, check] of Object.entries(truths)) {
      during(`${where}: ${promise}`, () =>
        check({ before, after: ran.tree, crashed: crashed.tree }),
      );
    }
    await heal(where, chapter, crashed);
  }
}

/**
 * A plain run brings the ESP to where the one that was interrupted would have. Where hardly a cluster
 * is left it may refuse instead: the directories that were made already are counted once more.
 */
async function heal(where: string, chapter: Chapter, crashed: Ran): Promise<void> {
  const { world, ran } = chapter;
  const mended = fsck(crashed);
  const healed = await run(world, mended);
  during(`${where}: the next run heals it`, () => {
    if (!isTight(world, ran)) {
      assert.equal(healed.failure, undefined, healed.failure?.message);
      assert.deepEqual(differences(healed.tree, ran.tree), []);
      assert.equal(defaultOf(healed.tree), defaultOf(ran.tree));
    } else if (healed.failure) {
      assert.equal(healed.failure.code, 'ESP_FULL');
      assert.deepEqual(differences(healed.tree, mended), []);
    } else {
      assert.equal(defaultOf(healed.tree), defaultOf(ran.tree));
    }
  });
  if (crashed.shared.length === 0) return;
  const unmended = await run(world, crashed.tree);
  during(`${where}: without a file system check it boots all the same`, () => {
    if (bootable(crashed.tree).length > 0) assert.notDeepEqual(bootable(unmended.tree), []);
  });
}

/**
 * What fsck.fat makes of two names for the same clusters, as power lost in a rename leaves them: one
 * keeps them, the other is cut to nothing. Here it is the final name, the worse of the two.
 */
function fsck({ tree, shared }: Ran): Tree {
  return new Map([...tree, ...shared.map(([, final]) => [final, new Uint8Array()] as const)]);
}

function during(what: string, check: () => void): void {
  try {
    check();
  } catch (cause) {
    throw new Error(what, { cause });
  }
}

test('wherever power fails, an entry that was whole boots, and the next run heals the rest', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyLife(3),
      fc.array(fc.nat({ max: 9 }), { minLength: 3, maxLength: 7 }),
      async (life, seeds) => {
        let last: Chapter | undefined;
        for await (const chapter of live(life)) last = chapter.ran.failure ? last : chapter;
        if (last) await crashHere(last, seeds);
      },
    ),
    bounds(70),
  );
});
