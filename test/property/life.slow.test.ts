/** Whatever happens to a machine, these stay true after every run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { directoryOf } from '../../src/esp/layout.ts';
import type { Plan } from '../../src/plan/step.ts';
import { MOST_RESERVED } from '../../src/transaction/directory-slots.ts';
import { run } from './a-world.ts';
import { anyLife } from './any-world.ts';
import { bounds } from './bounds.ts';
import { type Chapter, isTight, live } from './life.ts';
import { bootable, defaultOf, differences, entryNames, idOf, isOurs, isSame } from './truths.ts';

/** Declares a truth about every run of every life. */
function always(title: string, runs: number, check: (chapter: Chapter) => Promise<void> | void) {
  test(title, async () => {
    await fc.assert(
      fc.asyncProperty(anyLife(4), async (life) => {
        for await (const chapter of live(life)) await check(chapter);
      }),
      bounds(runs),
    );
  });
}

always('the plan after a run is empty, and running it changes nothing', 150, async (chapter) => {
  const { world, ran } = chapter;
  if (ran.failure || isTight(world, ran)) return;
  const again = await run(world, ran.tree);
  assert.equal(again.failure, undefined);
  assert.deepEqual(again.plan?.phases, []);
  assert.deepEqual(differences(ran.tree, again.tree), []);
  assert.equal(again.operations, 0);
});

always('where space is short, runs on equal input settle, and none takes back', 150, async (c) => {
  let { ran } = c;
  if (ran.failure) return;
  for (let runs = 0; runs < 3 && ran.plan?.phases.length !== 0; runs++) {
    const again = await run(c.world, ran.tree);
    assert.equal(again.failure, undefined);
    // While a loader is replaced there is less room than afterwards, when a newer generation may fit.
    const isRoomier = ran.plan?.phases.some(({ name }) => name === 'loader');
    const taken = bootable(ran.tree).filter((path) => !again.tree.has(path));
    if (!isRoomier) assert.deepEqual(taken, []);
    ran = again;
  }
  assert.deepEqual(ran.plan?.phases, []);
});

always('two runs on equal input give equal trees', 60, async ({ world, before, ran }) => {
  const twin = await run(world, before);
  assert.deepEqual(differences(ran.tree, twin.tree), []);
});

always('what we refuse is refused before anything is touched', 150, ({ before, ran }) => {
  if (!ran.failure) return;
  assert.equal(ran.operations, 0, ran.failure.message);
  assert.deepEqual(differences(before, ran.tree), []);
});

always('nothing foreign changes', 100, ({ before, ran }) => {
  for (const [path, bytes] of before) {
    if (!isOurs(path)) assert.ok(isSame(bytes, ran.tree.get(path)), path);
  }
  for (const path of ran.tree.keys()) assert.ok(isOurs(path) || before.has(path), path);
});

always('the target boots, is the default, and every generation that must stay boots', 150, (c) => {
  const { world, ran } = c;
  if (ran.failure) return;
  const id = defaultOf(ran.tree);
  assert.equal(id, ran.plan?.default);
  const booting = bootable(ran.tree);
  const next = booting.find((path) => idOf(path) === id);
  assert.ok(next, `${id} does not boot`);
  const number = world.target ?? world.current;
  const wanted = new RegExp(`nixos-generation-${number}-`);
  const isBad = [...c.before.keys()].some((path) => wanted.test(path) && BAD.test(path));
  if (!isBad) assert.match(next, wanted);
  for (const generation of world.generations) {
    const must = [world.current, world.booted].includes(generation.number);
    if (!must || isBroken(generation.broken)) continue;
    assert.ok(
      booting.some((path) => path.includes(`nixos-generation-${generation.number}-`)),
      `generation ${generation.number} has to stay`,
    );
  }
});

always('what boots next is bad only where every entry is that is wanted', 150, (c) => {
  const { world, ran } = c;
  if (ran.failure) return;
  const id = defaultOf(ran.tree);
  const booting = bootable(ran.tree);
  if (!booting.some((path) => idOf(path) === id && BAD.test(path))) return;
  const whole = world.generations.filter((generation) => !isBroken(generation.broken));
  const isWanted = (path: string) =>
    idOf(path) !== world.selected &&
    whole.some((generation) => path.includes(`nixos-generation-${generation.number}-`));
  for (const path of booting.filter(isWanted)) assert.match(path, BAD);
});

always('an entry has one name: what became of its counter, or its tries', 150, (c) => {
  const [before, after] = [entryNames(c.before), entryNames(c.ran.tree)];
  for (const [id, names] of after) {
    assert.equal(names.length, 1);
    const known = before.get(id);
    if (known) assert.deepEqual(names, known);
    // Under another name or in another format it goes on with the counter that it had.
    const family = [...before].filter(([other]) => familyOf(other) === familyOf(id));
    const had = family.flatMap(([, others]) => others.map(counterOf));
    const tries = c.world.tries > 0 ? `+${c.world.tries}` : '';
    assert.ok([tries, ...had, ...(known ?? []).map(counterOf)].includes(counterOf(names[0] ?? '')));
  }
});

const familyOf = (id: string) => id.replace(/-[a-z2-7]{52}\.\w+$/, '');
const counterOf = (path: string) => /\+\d+(-\d+)?(?=\.[a-z]+$)/.exec(path)?.[0] ?? '';

always(
  'a disk that takes the place of another soon holds and boots what that one does',
  150,
  async (c) => {
    const { world, ran } = c;
    const fresh = await run(world, new Map());
    if (ran.failure || fresh.failure || isTight(world, ran) || isTight(world, fresh)) return;
    const [old, young] = [ran.tree, fresh.tree].map((tree) => new Set(entryNames(tree).keys()));
    const broken = world.generations.filter((generation) => isBroken(generation.broken));
    // What only the old one can have: it was selected there, or its generation cannot be read any more.
    const isKept = (id: string) =>
      id === world.selected || broken.some(({ number }) => id.includes(`-generation-${number}-`));
    assert.deepEqual(
      [...(young ?? [])].filter((id) => !old?.has(id)),
      [],
    );
    assert.deepEqual(
      [...(old ?? [])].filter((id) => !young?.has(id) && !isKept(id)),
      [],
    );
    // Counters are of one disk alone: what is bad there may be good here.
    const isBad = [...ran.tree.keys()].some((path) => BAD.test(path));
    if (!isBad) assert.equal(defaultOf(fresh.tree), defaultOf(ran.tree));
    for (const path of fresh.tree.keys()) assert.doesNotMatch(path, /\+\d+-\d+\./);
  },
);

/** The name of an entry whose tries are used up. */
const BAD = /\+0-\d+\./;

const isBroken = (broken: string | undefined): boolean => broken !== undefined;

always('no entry of a root is removed: what was selected, and what cannot be read', 150, (c) => {
  const { world, before, ran } = c;
  const kept = bootable(before).filter((path) => {
    const number = Number(/nixos-generation-(\d+)-/.exec(path)?.[1]);
    const generation = world.generations.find((candidate) => candidate.number === number);
    return idOf(path) === world.selected || isBroken(generation?.broken);
  });
  const after = new Set(bootable(ran.tree));
  for (const path of kept) assert.ok(after.has(path), `${path} is gone`);
});

always('no more space is used at the peak, or in the end, than was foretold', 200, ({ ran }) => {
  if (!ran.plan) return;
  const { space } = ran.plan;
  const { before, least, after } = ran.free;
  assert.equal(space.free, before);
  const slots = spaceForSlots(ran.plan);
  const peak = Math.max(0, space.peak) + slots;
  assert.ok(before - least <= peak, `${before - least} > ${peak}`);
  assert.ok(after >= space.after - slots, `${after} < ${space.after} - ${slots}`);
});

/** What is taken beside what is foretold, for the slots of directories: only where there is space to spare. */
function spaceForSlots({ phases, space }: Plan): number {
  const written = phases
    .flatMap(({ steps }) => steps)
    .filter(({ kind }) => kind === 'write' || kind === 'replace');
  const most = new Set(written.map(({ path }) => directoryOf(path))).size * MOST_RESERVED;
  const spare = Math.min(space.free - space.peak, space.after - space.reserve);
  return spare >= most ? most : 0;
}

always('the reserve is left to others by every run that writes an entry', 100, ({ world, ran }) => {
  const writes = ran.plan?.phases.some(({ name }) => name === 'put' || name === 'publish');
  if (writes) assert.ok(ran.free.after >= world.reserve, `${ran.free.after} < ${world.reserve}`);
});

always('every file of ours that is left is whole and has a use', 100, ({ ran }) => {
  if (ran.failure) return;
  const whole = new Set(bootable(ran.tree));
  for (const path of ran.tree.keys()) {
    assert.ok(!/\/\.espalier-/.test(path), `${path} is left behind`);
    if (isOurs(path) && path.includes('nixos-generation-')) assert.ok(whole.has(path), path);
  }
});
