/** What is wrong around the ESP: no room for notes, a clock that jumps, too little of everything. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { aMachine } from '../command/a-machine.ts';
import { FAULTY, type Scenario } from '../crash/scenario.ts';
import { aProfiles } from '../generation/a-generation.ts';
import { run } from '../lab/run.ts';
import { isRoot } from '../lab/tools.ts';
import { fill, TMPFS } from './file-system.ts';
import { aPathInMemory } from './in-memory.ts';
import { broken, isSame } from './judge.ts';
import { DONE, type Ended, play, reset, type Stage, setStage, treeOf } from './stage.ts';

/** One more generation, whose initrd gets secrets of the machine. */
const SECRETS: Scenario = {
  name: 'secrets',
  about: 'one more generation, with secrets in its initrd',
  prepare(world) {
    world.generation(1);
    world.boots(1);
    world.run(['install', ...world.settings()]);
    aProfiles(world.root, [
      { number: 2, tag: 'secret', kernel: world.payload.kernel, secrets: 'echo secret >> "$1"' },
    ]);
  },
  action: (world) => ['install', ...world.settings()],
};

function stageOf(t: TestContext): Promise<Stage> {
  return setStage(SECRETS, aPathInMemory(t));
}

function judge(stage: Stage, ended: Ended): void {
  const now = treeOf(stage.world.esp);
  const said = `status ${ended.status} ${ended.message}`;
  assert.deepEqual(broken({ stage, ended, now }), [], said);
}

/** Whatever happened: a run in surroundings as they should be makes the ESP what it should be. */
async function heals(stage: Stage): Promise<void> {
  const healed = await play(stage);
  assert.ok(DONE.includes(healed.status), healed.message);
  assert.ok(isSame(treeOf(stage.world.esp), stage.right));
}

/** Mounts a small file system of which nothing is left over a directory of a world. */
async function whileFull(t: TestContext, directory: string, work: () => Promise<void>) {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  TMPFS.mount(directory, 4096);
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  try {
    fill(directory);
    await work();
  } finally {
    run('umount', [directory]);
  }
}

describe('no room', { skip: !isRoot() && 'needs root to mount small file systems' }, () => {
  test('for what is remembered costs time and nothing else', async (t) => {
    const stage = await stageOf(t);
    reset(stage);
    await whileFull(t, join(stage.world.root, 'cache'), async () => {
      assert.equal((await play(stage)).status, 0);
      assert.ok(isSame(treeOf(stage.world.esp), stage.right));
    });
  });

  test('for locks and secrets is told as that, and touches nothing', async (t) => {
    const stage = await stageOf(t);
    reset(stage);
    await whileFull(t, join(stage.world.root, 'run'), async () => {
      const runtime = { XDG_RUNTIME_DIR: join(stage.world.root, 'run') };
      const ended = await play(stage, undefined, runtime);
      judge(stage, ended);
      assert.equal(ended.status, 1);
      assert.match(ended.message, /cannot copy .* into .*\/run: ENOSPC/);
      assert.ok(isSame(treeOf(stage.world.esp), stage.before));
    });
    await heals(stage);
  });
});

/** A run whose temporary files have no room, and which has no other place for them. */
async function withoutTemporaryFiles(
  t: TestContext,
  stage: Stage,
  check: (ended: Ended) => void,
): Promise<void> {
  reset(stage);
  const full = join(stage.world.root, 'tmp');
  await whileFull(t, full, async () => {
    const ended = await play(stage, undefined, { XDG_RUNTIME_DIR: '', TMPDIR: full });
    judge(stage, ended);
    check(ended);
  });
  await heals(stage);
}

describe('a full TMPDIR', { skip: !isRoot() && 'needs root to mount small file systems' }, () => {
  test('stops what needs secrets, and nothing is touched', async (t) => {
    const stage = await stageOf(t);
    await withoutTemporaryFiles(t, stage, ({ status, message }) => {
      assert.equal(status, 1);
      assert.match(message, /\/tmp.*: ENOSPC/);
      assert.ok(isSame(treeOf(stage.world.esp), stage.before));
    });
  });

  for (const scenario of FAULTY) {
    test(`is nothing to ${scenario.name}, or is told and nothing is touched`, async (t) => {
      const stage = await setStage(scenario, aPathInMemory(t));
      await withoutTemporaryFiles(t, stage, ({ status, message }) => {
        const expected = DONE.includes(status) ? stage.right : stage.before;
        assert.ok(isSame(treeOf(stage.world.esp), expected), `status ${status} ${message}`);
      });
    });
  }
});

describe('a full cache directory', {
  skip: !isRoot() && 'needs root to mount small file systems',
}, () => {
  for (const scenario of FAULTY) {
    test(`is nothing to ${scenario.name}`, async (t) => {
      const stage = await setStage(scenario, aPathInMemory(t));
      reset(stage);
      await whileFull(t, join(stage.world.root, 'cache'), async () => {
        const { status, message } = await play(stage);
        assert.ok(DONE.includes(status), message);
        assert.ok(isSame(treeOf(stage.world.esp), stage.right));
      });
    });
  }
});

describe('a clock', () => {
  for (const year of [1970, 2038, 2100]) {
    test(`that says ${year} changes nothing that is written`, async (t) => {
      const stage = await stageOf(t);
      reset(stage);
      t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(year, 0, 1, 0, 0, 1) });
      assert.ok(DONE.includes((await play(stage)).status));
      assert.ok(isSame(treeOf(stage.world.esp), stage.right));
    });
  }

  test('that jumps between two runs gives the second one nothing to do', async (t) => {
    const stage = await stageOf(t);
    reset(stage);
    for (const year of [2100, 1970, 2026]) {
      t.mock.timers.enable({ apis: ['Date'], now: Date.UTC(year, 5, 1) });
      await heals(stage);
      t.mock.timers.reset();
    }
  });

  for (const time of [-1e9, 0, 4_200_000_000, 1e11]) {
    test(`by which a link was made at ${time} seconds is believed`, async (t) => {
      const stage = await stageOf(t);
      fs.lutimesSync(join(stage.world.root, 'nix/var/nix/profiles/system-2-link'), time, time);
      reset(stage);
      assert.equal((await play(stage)).status, 0);
      const first = treeOf(stage.world.esp);
      assert.equal((await play(stage)).status, 0);
      assert.ok(isSame(treeOf(stage.world.esp), first), 'there is nothing more to do');
    });
  }
});

/** What a process may have, as prlimit(1) says it: from what hardly starts Node to what is enough. */
const LIMITS: readonly string[] = [
  ...['fsize=0', 'fsize=1000', 'fsize=4096', 'fsize=70000'],
  ...['nofile=22', 'nofile=24', 'nofile=26', 'nofile=28', 'nofile=40'],
  ...['as=1200000000', 'as=1300000000', 'as=1400000000', 'as=2000000000'],
];

describe('a process that may have too little', () => {
  test('does all of its work or none of it that could hurt', async (t) => {
    const stage = await stageOf(t);
    const program = await bundle(join(stage.world.root, 'espalier.mjs'));
    for (const limit of LIMITS) {
      reset(stage);
      judge(stage, limited(stage, program, [`--${limit}`]));
      await heals(stage);
    }
  });

  test('has enough in 32 MiB of heap for an initrd of 1 GiB', async (t) => {
    const stage = await stageOf(t);
    const program = await bundle(join(stage.world.root, 'espalier.mjs'));
    const link = join(stage.world.root, 'nix/var/nix/profiles/system-2-link/initrd');
    fs.truncateSync(fs.realpathSync(link), 2 ** 30);
    reset(stage);
    const { status, message } = limited(
      stage,
      program,
      [],
      ['--max-old-space-size=32'],
      [...['--reserve', '999999G']],
    );
    assert.equal(status, 4, message);
    assert.ok(isSame(treeOf(stage.world.esp), stage.before));
  });
});

test('a generation with a file that FAT cannot hold is set apart, and the others are installed', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'huge' }, {}] });
  const initrd = fs.realpathSync(join(machine.link(1), 'initrd'));
  fs.truncateSync(initrd, 2 ** 32);
  for (const format of ['uki', 'type1']) {
    const { status, output } = await machine.run('install', '--format', format, '--json');
    assert.equal(status, 5, output);
    assert.match(output, /generation 1 is broken .*expected at most 4294967295 bytes/);
    assert.deepEqual(machine.installed(), [2]);
  }
});

/** Milliseconds. */
const FOREVER = 300_000;

function limited(
  { scenario, world }: Stage,
  program: string,
  limits: readonly string[],
  node: readonly string[] = [],
  more: readonly string[] = [],
): Ended {
  const verb = [...scenario.action(world), ...world.onDirectory(), '--quiet', ...more];
  const { status, signal, stderr } = spawnSync(
    'prlimit',
    [...limits, process.execPath, ...node, program, ...verb],
    {
      encoding: 'utf8',
      env: { ...process.env, ...world.environment, XDG_RUNTIME_DIR: world.root },
      timeout: FOREVER,
      killSignal: 'SIGKILL',
    },
  );
  // Node itself gives up with a signal, or with a status that no run of ours has.
  const isOurs = signal === null && status !== null && status < 128;
  return { status: isOurs ? status : undefined, message: stderr };
}
