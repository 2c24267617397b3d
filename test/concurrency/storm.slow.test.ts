/** Twenty at once: whoever comes first, is killed or has to wait, the ESP is as some order would leave it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { bundle } from '../../tools/bundle.ts';
import { aKernel, aMachine } from '../command/a-machine.ts';
import { bounds } from '../property/bounds.ts';
import { aloneOn, type Tree } from './alone.ts';
import { anyStorm, BEFORE, GENERATIONS, type Weather } from './any-storm.ts';
import { ProfileDirectory, type Profiles } from './moment.ts';
import { type Call, FOREVER, type Moment, type Place, rage, type Storm } from './storm.ts';
import {
  danglingDefault,
  dishonest,
  incomplete,
  isExplained,
  remains,
  strangers,
} from './verdict.ts';

const FOREIGN: Readonly<Record<string, string>> = {
  'EFI/Microsoft/Boot/bootmgfw.efi': 'windows',
  'EFI/Linux/fedora-6.12.efi': 'another distribution',
  'EFI/nixos/0c1dn4a-linux-6.12-bzImage.efi': 'of the builder in nixpkgs',
  'loader/entries/memtest.conf': 'title Memtest\nefi /EFI/memtest.efi\n',
};

/** Large enough that a write takes a while. Bytes. */
const INITRD_SIZE = 3 << 20;

/** Where a storm takes place, and how. */
interface Ground {
  readonly format: Place['format'];
  readonly esps: number;
  readonly program: string;
}

function aPlace(t: TestContext, { format, esps, program }: Ground): Place {
  const machine = aMachine(t, {
    generations: GENERATIONS.map((number) => ({
      kernel: aKernel(number < 3 ? 'old' : 'new'),
      initrd: new Uint8Array(INITRD_SIZE).fill(number),
    })),
  });
  const paths = Array.from({ length: esps }, (_, index) => join(machine.root, `esp-${index}`));
  for (const path of paths) plant(path, FOREIGN);
  const profiles = new ProfileDirectory(machine, join(machine.root, 'profiles'), BEFORE);
  age(machine.root);
  return { machine, program, profiles, esps: paths, format };
}

function plant(directory: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    fs.mkdirSync(join(directory, path, '..'), { recursive: true });
    fs.writeFileSync(join(directory, path), text);
  }
}

/** Gives every file the age of those in a store: what changed a moment ago is not remembered. */
function age(root: string): void {
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) fs.utimesSync(join(entry.parentPath, entry.name), 1, 1);
  }
}

/** Looks at what boots next, again and again while work goes on, and adds what must not be. */
async function lookOn<T>(esps: readonly string[], seen: Set<string>, work: Promise<T>): Promise<T> {
  const look = setInterval(() => {
    for (const id of esps.map(danglingDefault)) if (id !== undefined) seen.add(id);
  }, 2);
  try {
    return await work;
  } finally {
    clearInterval(look);
  }
}

type Alone = ReturnType<typeof aloneOn>;

/** What runs alone would make of each limit and each moment of the profiles. */
async function allRight(storm: Storm, moments: readonly Moment[], alone: Alone): Promise<Tree[]> {
  const limits = new Set([0, ...storm.calls.map(({ limit }) => limit)]);
  const trees: Tree[] = [];
  for (const { profiles } of moments) {
    for (const limit of limits) trees.push(await alone([{ verb: 'install', limit, profiles }]));
  }
  return trees;
}

function withoutForeign(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => !(path in FOREIGN)));
}

/** Waits until a watcher that nobody kills has made what its settings ask for, whoever came before it. */
async function lastWord(storm: Storm, profiles: Profiles, place: Place, alone: Alone) {
  const watchers = storm.calls.filter(({ verb }) => verb === 'watch');
  const [watcher] = watchers;
  if (watcher === undefined || watchers.some(({ killAfter }) => killAfter !== undefined)) return;
  const wanted = await alone([{ verb: 'install', limit: watcher.limit, profiles }]);
  const isThere = (esp: string) =>
    isDeepStrictEqual(withoutForeign(place.machine.tree(esp)), { ...wanted });
  const patience = performance.now() + FOREVER;
  while (!place.esps.every(isThere)) {
    assert.ok(performance.now() < patience, 'the watcher has the last word');
    await sleep(50);
  }
}

/** A plain run that waits for nobody. */
const LAST: Call = { verb: 'install', limit: 0, at: 0, patience: 0, reversed: false };

async function weather(t: TestContext, storm: Storm, ground: Ground): Promise<void> {
  const place = aPlace(t, ground);
  const { machine, esps } = place;
  const foreign = machine.tree(esps[0]);
  const dangling = new Set<string>();
  const alone = aloneOn(place);
  const calm = (profiles: Profiles) => lastWord(storm, profiles, place, alone);
  const { ended, moments } = await lookOn(esps, dangling, rage(storm, BEFORE, place, calm));
  assert.deepEqual(ended.map(dishonest).filter(Boolean), []);
  assert.deepEqual([...dangling], [], 'what boots next was always there');
  const right = await allRight(storm, moments, alone);
  const killed = ended.some(({ signal }) => signal === 'SIGKILL');
  for (const esp of esps) {
    const tree = machine.tree(esp);
    assert.deepEqual(strangers(tree, foreign, right), []);
    assert.deepEqual(incomplete(esp, tree), []);
    if (killed) continue;
    assert.deepEqual(remains(tree), []);
    const explained = await isExplained(withoutForeign(tree), ended, moments, alone);
    assert.ok(explained, `no order of the runs leaves ${Object.keys(tree).join(', ')}`);
  }
  const profiles = moments.at(-1)?.profiles ?? BEFORE;
  const last = await rage({ calls: [LAST], steps: [] }, profiles, place);
  assert.deepEqual(
    last.ended.map(({ status, stderr }) => [status, stderr]),
    [[0, '']],
  );
  const whole = await alone([{ verb: 'install', limit: 0, profiles }]);
  for (const esp of esps) assert.deepEqual(machine.tree(esp), { ...foreign, ...whole });
}

/** Declares a promise about storms of some weather. */
function throughout(title: string, runs: number, kind: Weather & Omit<Ground, 'program'>): void {
  test(title, async (t) => {
    const program = await bundle(join(aMachine(t).root, 'espalier.mjs'));
    await fc.assert(
      fc.asyncProperty(anyStorm(kind), (storm) => weather(t, storm, { ...kind, program })),
      { ...bounds(runs), endOnFailure: true },
    );
  });
}

const TWENTY: Weather & Omit<Ground, 'program'> = {
  processes: 20,
  duration: 600,
  kills: false,
  watchers: 0,
  esps: 1,
  format: 'uki',
};

throughout('twenty runs leave what some order of them would have left', 3, TWENTY);

throughout('of twenty runs, killed at any moment, the next one makes what it would alone', 3, {
  ...TWENTY,
  kills: true,
});

throughout('runs that take two ESPs in either order wait for each other and not for ever', 2, {
  ...TWENTY,
  processes: 12,
  esps: 2,
  format: 'type1',
});

throughout('a watcher among installs has the last word', 2, {
  ...TWENTY,
  processes: 12,
  watchers: 1,
  format: 'type1',
});

throughout('watchers that are killed leave their place to the next one', 2, {
  ...TWENTY,
  processes: 12,
  watchers: 4,
  kills: true,
  format: 'type1',
});
