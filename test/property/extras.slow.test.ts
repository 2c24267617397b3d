/** Extra files under names of a person's choice: whatever happens, what is not ours stays as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Ran, run, type Tree, type World } from './a-world.ts';
import { bounds } from './bounds.ts';
import { bootable, differences, isSame } from './truths.ts';

const PATHS = [
  'EFI/tools/a.efi',
  'EFI/tools/b.bin',
  'top.txt',
  'loader/entries/tool.conf',
] as const;
/** What is declared, some of it of one size, with the path behind it: nothing else has that content. */
const CONTENTS = ['', 'x', 'A'.repeat(700), 'B'.repeat(700), 'C'.repeat(1300)];
/** What somebody else writes: of a size that no damage to ours could leave. */
const ANOTHERS = new TextEncoder().encode('F'.repeat(5001));

const WORLD: World = {
  generations: [{ number: 1, kernel: 0, initrd: 0, specialisations: 0 }],
  current: 1,
  format: 'type1',
  limit: 0,
  tries: 0,
  reserve: 0,
  capacity: 1024 * 1024,
  clusterSize: 512,
  loader: 257,
};

/** One run: what is declared by then, and what happened to the ESP before it. */
interface Moment {
  readonly declared: Readonly<Record<string, string>>;
  /** Where somebody else wrote a file, over ours too. */
  readonly taken: string | undefined;
  /** Which of the files that are declared was cut to nothing. */
  readonly cut: string | undefined;
}

const anyPath = fc.option(fc.constantFrom(...PATHS), { nil: undefined, freq: 2 });
const anyMoment: fc.Arbitrary<Moment> = fc.record({
  declared: fc
    .dictionary(fc.constantFrom(...PATHS), fc.constantFrom(...CONTENTS))
    .map((contents) =>
      Object.fromEntries(
        Object.entries(contents).map(([path, text]) => [path, text && `${text}${path}`]),
      ),
    ),
  taken: anyPath,
  cut: anyPath,
});

const isAnothers = (bytes: Uint8Array | undefined) => isSame(bytes, ANOTHERS);

function before({ declared, taken, cut }: Moment, tree: Tree): Tree {
  const next = new Map(tree);
  const isOurs = cut !== undefined && next.has(cut) && !isAnothers(next.get(cut));
  if (isOurs && cut in declared) next.set(cut, new Uint8Array());
  if (taken !== undefined) next.set(taken, ANOTHERS);
  return next;
}

/** What holds at every moment: what was another's before is there as it was. */
function assertSpared(before: Tree, after: Tree): void {
  for (const [path, bytes] of before) {
    if (isAnothers(bytes)) assert.ok(isAnothers(after.get(path)), path);
  }
}

/** What holds after a run: all that is declared is there, and nothing that was. */
function assertDone({ declared }: Moment, before: Tree, { tree, failure }: Ran): void {
  assert.equal(failure, undefined);
  for (const path of PATHS) {
    if (isAnothers(before.get(path))) continue;
    const wanted = declared[path];
    const expected = wanted === undefined ? undefined : new TextEncoder().encode(wanted);
    assert.ok(isSame(tree.get(path), expected), `${path} is not as declared`);
  }
  const lists = [...tree.keys()].filter((path) => path.includes('extra-files-'));
  assert.ok(lists.length <= 1, lists.join());
}

/** What fsck.fat makes of two names for the same clusters: see crash.slow.test.ts. */
function fsck({ tree, shared }: Ran): Tree {
  return new Map([...tree, ...shared.map(([, final]) => [final, new Uint8Array()] as const)]);
}

test('what is declared is there after each run, what is not is not, and the next run is idle', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyMoment, { minLength: 1, maxLength: 5 }), async (moments) => {
      let tree: Tree = new Map();
      for (const moment of moments) {
        const world = { ...WORLD, extras: moment.declared };
        const start = before(moment, tree);
        const ran = await run(world, start);
        assertSpared(start, ran.tree);
        assertDone(moment, start, ran);
        const again = await run(world, ran.tree);
        assert.deepEqual(again.plan?.phases, []);
        tree = ran.tree;
      }
    }),
    bounds(150),
  );
});

/** At how many moments of a run power fails. */
const MOMENTS = 25;

test('wherever power fails, what is not ours is spared, and the next run does the rest', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyMoment, { minLength: 1, maxLength: 3 }),
      fc.nat({ max: 9 }),
      async (moments, seed) => {
        let tree: Tree = new Map();
        for (const moment of moments) {
          const world = { ...WORLD, extras: moment.declared };
          const start = before(moment, tree);
          const ran = await run(world, start);
          const stride = Math.max(3, Math.ceil(ran.operations / MOMENTS));
          for (let failAt = seed % stride; failAt < ran.operations; failAt += stride) {
            const crashed = await run(world, start, { failAt, seed: seed + failAt });
            assertSpared(start, crashed.tree);
            if (bootable(start).length > 0) assert.notDeepEqual(bootable(crashed.tree), []);
            const healed = await run(world, fsck(crashed));
            assert.deepEqual(differences(healed.tree, ran.tree), [], `failed at ${failAt}`);
          }
          tree = ran.tree;
        }
      },
    ),
    bounds(30),
  );
});
