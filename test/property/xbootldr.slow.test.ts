/** Moving between ESP and XBOOTLDR: wherever power fails on the way, the machine boots. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { volumesOf } from '../../src/esp/layout.ts';
import { type Ran, run, SECOND, type Tree, type World } from './a-world.ts';
import { anyLife, startTree } from './any-world.ts';
import { bounds, isUnhurried } from './bounds.ts';
import { bootable, defaultOf, differences, idOf, isOurs, LOADERS, startsFrom } from './truths.ts';

const world: World = {
  generations: [
    { number: 1, kernel: 0, initrd: 0, specialisations: 0 },
    { number: 2, kernel: 0, initrd: 1, specialisations: 1 },
    { number: 3, kernel: 1, initrd: 1, specialisations: 0 },
  ],
  current: 3,
  format: 'type1',
  limit: 0,
  tries: 0,
  reserve: 0,
  capacity: 512 * 1024,
  clusterSize: 2048,
  loader: 257,
};

/** What others have, on the ESP and on XBOOTLDR. */
const FOREIGN: Tree = new Map(
  Object.entries({
    'EFI/Microsoft/Boot/bootmgfw.efi': 'windows',
    'EFI/Linux/fedora.efi': 'another distribution',
    [`${SECOND}vmlinuz-6.12`]: 'its kernel',
    [`${SECOND}loader/entries/fedora.conf`]: 'title Fedora\nlinux /vmlinuz-6.12\n',
  }).map(([path, text]) => [path, new TextEncoder().encode(text)]),
);

/** What is on one of the two, by path from its root. */
function on(volume: 'esp' | 'xbootldr', tree: Tree): Tree {
  const isThere = ([path]: readonly [string, Uint8Array]) =>
    path.startsWith(SECOND) === (volume === 'xbootldr');
  const found = [...tree].filter(isThere);
  return new Map(found.map(([path, bytes]) => [path.replace(SECOND, ''), bytes]));
}

/** IDs of the entries that boot, from whichever partition. */
function bootableIds(tree: Tree): ReadonlySet<string> {
  const both = [on('esp', tree), on('xbootldr', tree)];
  return new Set(both.flatMap(bootable).map(idOf));
}

const ownEntries = (tree: Tree): string[] =>
  [...tree.keys()].filter((path) => path.includes('nixos-generation-'));

/** One name of two for the same clusters is cut to nothing, as fsck.fat does it. */
function fsck({ tree, shared }: Ran): Tree {
  return new Map([...tree, ...shared.map(([, final]) => [final, new Uint8Array()] as const)]);
}

/** How a machine comes to keep its entries elsewhere, and to where. */
const MOVES = {
  'to XBOOTLDR': { before: 'former', after: 'used', from: 'esp', to: 'xbootldr' },
  'back to the ESP': { before: 'used', after: 'former', from: 'xbootldr', to: 'esp' },
} as const;

/** Operations at which power fails; with time to spend, with more of what a disk may have kept. */
const SEEDS = isUnhurried ? [0, 1, 2, 3, 4, 5, 6, 7] : [0];

async function installed(start: World): Promise<Tree> {
  const { tree, failure } = await run(start, FOREIGN);
  assert.equal(failure, undefined, failure?.message);
  return tree;
}

suite('moving entries', () => {
  for (const format of ['uki', 'shared', 'type1', 'thin'] as const) {
    for (const [move, { before: first, after: second, from, to }] of Object.entries(MOVES)) {
      const about = `${move}, ${format}`;

      test(`${about}: all of it is there afterwards, and nothing of ours where it was`, async () => {
        const before = await installed({ ...world, format, xbootldr: first });
        const ran = await run({ ...world, format, xbootldr: second }, before);
        assert.deepEqual(bootableIds(ran.tree), bootableIds(before));
        assert.deepEqual(ownEntries(on(from, ran.tree)), []);
        for (const path of on(from, ran.tree).keys()) {
          const isPayload = volumesOf(path as never)[0] === 'xbootldr' && isOurs(path);
          assert.ok(!isPayload || path === 'loader/entries.srel', path);
        }
        const moved = bootable(on(to, ran.tree)).map(idOf);
        assert.equal(moved.length, 4);
        const again = await run({ ...world, format, xbootldr: second }, ran.tree);
        assert.equal(again.operations, 0);
      });

      test(`${about}: power lost in any operation leaves what boots, and the next run ends it`, async () => {
        const before = await installed({ ...world, format, xbootldr: first });
        const after = { ...world, format, loader: 260, xbootldr: second };
        const whole = await run(after, before);
        assert.equal(whole.failure, undefined, whole.failure?.message);
        assert.ok(whole.operations > 20);
        for (let failAt = 0; failAt < whole.operations; failAt++) {
          for (const seed of SEEDS) {
            const crashed = await run(after, before, { failAt, seed });
            const where = `operation ${failAt} of ${whole.operations}, seed ${seed}`;
            assertBoots(where, before, crashed.tree);
            const healed = await run(after, fsck(crashed));
            assert.equal(healed.failure, undefined, `${where}: ${healed.failure?.message}`);
            assert.deepEqual(differences(healed.tree, whole.tree), [], where);
          }
        }
      });

      test(`${about}: any operation that fails leaves what boots, and the next run ends it`, async () => {
        const before = await installed({ ...world, format, xbootldr: first });
        const after = { ...world, format, loader: 260, xbootldr: second };
        const whole = await run(after, before);
        let failures = 0;
        for (let faultAt = 0; faultAt < whole.operations; faultAt++) {
          const failed = await run(after, before, { faultAt });
          if (!failed.failure) break;
          failures++;
          assertBoots(`operation ${faultAt}`, before, failed.tree);
          assert.deepEqual(failed.shared, []);
          const healed = await run(after, failed.tree);
          assert.deepEqual(differences(healed.tree, whole.tree), [], `operation ${faultAt}`);
        }
        assert.ok(failures > 20);
      });
    }
  }

  test('counters move along, whichever way', async () => {
    const used = { ...world, tries: 3, xbootldr: 'used' } as const;
    const before = await installed(used);
    const tried = new Map(
      [...before].map(([path, bytes]) => [path.replace('+3.conf', '+1-2.conf'), bytes]),
    );
    const back = await run({ ...used, xbootldr: 'former' }, tried);
    const there = await run(used, back.tree);
    assert.deepEqual(ownEntries(there.tree), ownEntries(tried));
  });
});

/** Operations of one run at which power fails in turn; with time to spend, all of them. */
const POINTS = isUnhurried ? Number.POSITIVE_INFINITY : 10;

/** A machine's run, and the partitions before it. */
interface Chapter {
  readonly after: World;
  readonly before: Tree;
  readonly ran: Ran;
}

test('whatever happens to a machine that moves its entries, one boots wherever power fails', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyLife(4),
      fc.array(fc.constantFrom('used' as const, 'former' as const), { minLength: 4, maxLength: 4 }),
      fc.nat({ max: 9 }),
      async ({ start, moments }, places, seed) => {
        let before = startTree(start);
        let last: Chapter | undefined;
        for (const [index, { world: given }] of moments.entries()) {
          const after = { ...given, xbootldr: places[index] };
          const ran = await run(after, before);
          if (ran.failure) assert.deepEqual(differences(ran.tree, before), []);
          else {
            assert.ok(bootableIds(ran.tree).has(defaultOf(ran.tree) ?? ''));
            last = { after, before, ran };
          }
          before = ran.tree;
        }
        if (last) await crashIn(last, seed);
      },
    ),
    bounds(40),
  );
});

async function crashIn({ after, before, ran }: Chapter, seed: number): Promise<void> {
  const stride = Math.max(1, ran.operations / POINTS);
  for (let at = seed % stride; at < ran.operations; at += stride) {
    const failAt = Math.floor(at);
    const where = `operation ${failAt} of ${ran.operations}, seed ${seed}`;
    const { tree } = await run(after, before, { failAt, seed });
    assertGoesOn(where, before, tree, ran.tree);
    for (const [path, bytes] of before) {
      if (isOurs(path.replace(SECOND, ''))) continue;
      assert.deepEqual(tree.get(path), bytes, `${where}: ${path} is as it was`);
    }
  }
}

/** What holds between any two states of a machine. */
function assertGoesOn(where: string, before: Tree, crashed: Tree, after: Tree): void {
  const [old, now, then] = [bootableIds(before), bootableIds(crashed), bootableIds(after)];
  if (old.size > 0) assert.ok(now.size > 0, `${where}: an entry boots`);
  for (const id of old) {
    assert.ok(now.has(id) || !then.has(id), `${where}: ${id} boots all along`);
  }
  const id = defaultOf(crashed);
  if (id === undefined || id === defaultOf(before)) return;
  assert.ok(now.has(id), `${where}: the default that was set boots`);
}

/** What holds at every moment of a move. */
function assertBoots(where: string, before: Tree, crashed: Tree): void {
  const now = bootableIds(crashed);
  for (const id of bootableIds(before)) assert.ok(now.has(id), `${where}: ${id} boots`);
  assert.ok(now.has(defaultOf(crashed) ?? ''), `${where}: the default boots`);
  assert.ok(
    LOADERS.some((path) => startsFrom(crashed, path)),
    `${where}: a loader starts`,
  );
  for (const [path, bytes] of FOREIGN) {
    assert.deepEqual(crashed.get(path), bytes, `${where}: ${path} is as it was`);
  }
}
