/** Several ESPs: one transaction each, one survey and one signature for all, and each healed by the next run. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError, explain } from '../../src/error.ts';
import { aMachine, aSystemdBoot, type Machine, type Ran, type RunOptions } from './a-machine.ts';

function aMirror(machine: Machine, name = 'mirror'): string {
  const path = join(machine.root, name);
  fs.mkdirSync(path);
  return path;
}

function install(machine: Machine, mirror: string, options: RunOptions = {}): Promise<Ran> {
  const args = [...machine.arguments(), '--esp', mirror, '--allow-unsigned', '--quiet', '--json'];
  return machine.runWith(options, 'install', ...args);
}

test('every ESP gets the same tree', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  const mirror = aMirror(machine);
  const { status, output } = await install(machine, mirror);
  assert.equal(status, 0);
  assert.deepEqual(machine.tree(mirror), machine.tree());
  assert.deepEqual(
    JSON.parse(output).esps.map(({ esp }: { esp: string }) => esp),
    [machine.esp, mirror],
  );
});

test('an ESP given twice is one ESP', async (t) => {
  const machine = aMachine(t);
  const { output } = await install(machine, machine.esp);
  assert.equal(JSON.parse(output).esps.length, 1);
});

test('a mirror that is not there degrades the run and does not stop the primary', async (t) => {
  const machine = aMachine(t);
  const { status, output } = await install(machine, join(machine.root, 'unplugged'));
  assert.equal(status, 5);
  assert.deepEqual(machine.installed(), [1]);
  const [primary, mirror] = JSON.parse(output).esps;
  assert.equal(primary.error, undefined);
  assert.equal(mirror.error.code, 'ESP_NOT_MOUNTED');
  assert.match(mirror.error.hint, /mount the ESP/);
});

test('a mirror that fails half way degrades the run, and is healed by the next', async (t) => {
  const machine = aMachine(t);
  const mirror = aMirror(machine);
  const disk = nodeDisk();
  const failing = {
    rename(from: string, to: string) {
      if (to.startsWith(mirror)) throw new EspError('IO', `${to}: bad sector`);
      disk.rename(from, to);
    },
  };
  const { status, output } = await install(machine, mirror, { disk: failing });
  assert.equal(status, 5);
  assert.match(JSON.parse(output).esps[1].error.message, /bad sector/);
  assert.deepEqual(machine.installed(), [1]);
  assert.equal((await install(machine, mirror)).status, 0);
  assert.deepEqual(machine.tree(mirror), machine.tree());
});

test('a primary that is refused fails the run, and the mirror is served', async (t) => {
  const machine = aMachine(t);
  const mirror = aMirror(machine);
  machine.put('loader/entries.srel', 'type2');
  const { status, error } = await install(machine, mirror);
  assert.equal(status, 1);
  assert.match(explain(error), /entries\.srel: expected type1/);
  assert.equal(Object.keys(machine.tree()).length, 1);
  assert.ok(Object.keys(machine.tree(mirror)).length > 3);
});

test('where every ESP is refused, nothing was touched, and the status says so', async (t) => {
  const machine = aMachine(t);
  const mirror = aMirror(machine);
  for (const esp of [machine.esp, mirror]) {
    fs.mkdirSync(join(esp, 'loader'));
    fs.writeFileSync(join(esp, 'loader/entries.srel'), 'type2');
  }
  const { status, error } = await install(machine, mirror);
  assert.deepEqual([status, error?.code], [3, 'FOREIGN_LAYOUT']);
});

test('whichever ESP is away or fails, all the others are served', async (t) => {
  for (const index of [0, 1, 2]) {
    for (const isAway of [true, false]) {
      const machine = aMachine(t);
      const esps = [machine.esp, aMirror(machine, 'b'), aMirror(machine, 'c')];
      const bad = esps[index] ?? '';
      if (isAway) fs.rmdirSync(bad);
      const real = nodeDisk();
      const disk = {
        rename(from: string, to: string) {
          if (to.startsWith(bad)) throw new EspError('IO', `${to}: bad sector`);
          real.rename(from, to);
        },
      };
      const others = esps.slice(1).flatMap((esp) => ['--esp', esp]);
      const args = [...machine.arguments(), ...others, '--allow-unsigned', '-q'];
      const { status } = await machine.runWith({ disk }, 'install', ...args);
      assert.equal(status, index === 0 ? 1 : 5);
      const [one, other] = esps.filter((esp) => esp !== bad);
      assert.ok(Object.keys(machine.tree(one)).length > 3);
      assert.deepEqual(machine.tree(one), machine.tree(other));
    }
  }
});

/** What may become of an ESP between two runs; `before` is how it was one generation ago. */
const FATES: Readonly<Record<string, (esp: string, before: string) => void>> = {
  'an empty disk': (esp) => empty(esp),
  'an older state of itself': (esp, before) => {
    empty(esp);
    fs.cpSync(before, esp, { recursive: true });
  },
  'one with half of every file': (esp) => {
    // The mark of the layout is refused when it is not whole: it may be another loader's.
    const own = files(esp).filter((path) => !path.endsWith('entries.srel'));
    for (const path of own) fs.truncateSync(path, fs.statSync(path).size / 2);
  },
  'one with the remains of a killed run': (esp) => {
    fs.mkdirSync(join(esp, 'loader/entries'), { recursive: true });
    fs.writeFileSync(join(esp, 'loader/entries/.espalier-77-1.tmp'), 'half');
    fs.rmSync(join(esp, 'EFI/systemd'), { recursive: true });
  },
};

/** A loader.conf of ours that is damaged gets the settings of the configuration, and that is told. */
const TOLD = ['one with half of every file'];

function empty(directory: string): void {
  for (const name of fs.readdirSync(directory)) {
    fs.rmSync(join(directory, name), { recursive: true });
  }
}

function files(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

for (const [fate, befall] of Object.entries(FATES)) {
  test(`an ESP that comes back as ${fate} is healed by the next run`, async (t) => {
    for (const format of ['uki', 'type1']) {
      const machine = aMachine(t, { generations: [{}, {}] });
      const mirror = aMirror(machine);
      const both = [...machine.arguments(), '--esp', mirror, '--allow-unsigned', '-q'];
      const run = () => machine.runWith({}, 'install', ...both, '--format', format);
      await run();
      const before = join(machine.root, 'before');
      fs.cpSync(mirror, before, { recursive: true });
      fs.rmSync(machine.link(1));
      machine.generations([{ number: 3 }]);
      await run();
      const whole = machine.tree();
      for (const esp of [machine.esp, mirror]) {
        befall(esp, before);
        assert.equal((await run()).status, TOLD.includes(fate) ? 5 : 0);
        assert.deepEqual(machine.tree(esp), whole);
      }
    }
  });
}

/** Gives the entry of a generation another counter, as systemd-boot and systemd-bless-boot rename it. */
function recount(esp: string, generation: number, counter: string): void {
  const found = files(esp).find((path) => path.includes(`-generation-${generation}-`)) ?? '';
  fs.renameSync(found, found.replace(/(\+\d+(-\d+)?)?(\.[a-z]+)$/, `${counter}$3`));
}

test('a counter is never taken from one ESP to another', async (t) => {
  for (const counter of ['', '+2-1', '+0-3']) {
    const machine = aMachine(t, { generations: [{}, {}] });
    const mirror = aMirror(machine);
    const args = [...machine.arguments(), '--esp', mirror, '--allow-unsigned', '-q'];
    const run = () => machine.runWith({}, 'install', ...args, '--boot-counting', '3');
    await run();
    recount(mirror, 1, counter);
    const before = [machine.tree(), machine.tree(mirror)];
    assert.match((await run()).output, /nothing to do/);
    assert.deepEqual([machine.tree(), machine.tree(mirror)], before);
    const { output } = await machine.runWith({}, 'status', ...args.slice(0, -1), '--json');
    for (const { fromProfiles, fromPrimary = [] } of JSON.parse(output).esps) {
      assert.deepEqual([fromProfiles, fromPrimary], [[], []]);
    }
    // A new disk knows of no tries.
    empty(mirror);
    assert.equal((await run()).status, 0);
    assert.deepEqual(machine.tree(mirror), before[0]);
  }
});

/** The status of the machine's ESPs, as a document. */
async function standing(machine: Machine, options: RunOptions, ...args: readonly string[]) {
  const { status, output } = await machine.runWith(options, 'status', ...args, '--json');
  return { status, esps: JSON.parse(output).esps };
}

test('the status tells of every ESP what the next install will mend, and it does', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}, {}] });
  const mirror = aMirror(machine);
  const args = [...machine.arguments(), '--esp', mirror, '--allow-unsigned'];
  await machine.runWith({}, 'install', ...args, '-q');
  const entry = (generation: number) =>
    files(mirror).find((path) => path.includes(`-generation-${generation}-`)) ?? '';
  assert.equal((await standing(machine, {}, ...args)).status, 0);
  fs.rmSync(entry(1));
  fs.truncateSync(entry(2), 700);
  fs.copyFileSync(entry(3), entry(3).replace('-3-', '-9-'));
  fs.writeFileSync(join(mirror, 'EFI/systemd/systemd-bootx64.efi'), aSystemdBoot('250'));
  fs.writeFileSync(join(mirror, 'loader/loader.conf'), 'timeout 9\n');
  const { status, esps } = await standing(machine, {}, ...args);
  assert.equal(status, 5);
  const [primary, other] = esps;
  assert.deepEqual([primary.fromProfiles, primary.fromPrimary], [[], undefined]);
  for (const differences of [other.fromProfiles, other.fromPrimary]) {
    const kinds = differences.map(({ kind }: { kind: string }) => kind);
    assert.deepEqual(kinds.sort(), ['damaged', 'loader', 'missing', 'settings', 'stale']);
  }
  const { output: text } = await machine.runWith({}, 'status', ...args);
  assert.match(
    text,
    /mirror: it differs from what the\s+profiles want in \d files\n(?: {14}.*\n)* {14,}missing: EFI\/Linux\/\S*-1-/,
  );
  const { output } = await machine.runWith({}, 'status', ...args, '--metrics');
  assert.match(output, /differs_from_profiles\{esp="\S+mirror",kind="missing"\} 1$/m);
  assert.match(output, /differs_from_profiles\{esp="\S+esp",kind="missing"\} 0$/m);
  assert.match(output, /differs_from_primary\{esp="\S+mirror",kind="stale"\} 1$/m);
  await machine.runWith({}, 'install', ...args, '-q');
  assert.equal((await standing(machine, {}, ...args)).status, 0);
});

test('without a key the status holds a mirror against the primary alone', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  const mirror = aMirror(machine);
  await install(machine, mirror);
  const args = [...machine.arguments(), '--esp', mirror];
  assert.equal((await standing(machine, {}, ...args)).status, 0);
  empty(mirror);
  const { status, esps } = await standing(machine, {}, ...args);
  assert.equal(status, 5);
  assert.equal(esps[1].fromProfiles, undefined);
  assert.ok(esps[1].fromPrimary.length > 3);
});

/** A disk whose mount table has these options for these mounted ESPs. */
function mounting(mounts: Readonly<Record<string, string>>): RunOptions {
  const table = Object.entries(mounts)
    .map(([esp, options], index) => `9${index} 1 8:${index} / ${esp} ${options} - vfat /dev/x rw`)
    .join('\n');
  const real = nodeDisk();
  return {
    disk: {
      read: (path, limit) =>
        path === '/proc/self/mountinfo' ? Buffer.from(`${table}\n`) : real.read(path, limit),
    },
  };
}

test('an ESP that is away, read-only or full is told, and the others are as well', async (t) => {
  const machine = aMachine(t, { generations: [{}] });
  const esps = [machine.esp, aMirror(machine, 'ro'), aMirror(machine, 'away')];
  const plain = machine.arguments().filter((argument) => argument !== '--allow-directory');
  const args = [...plain, '--esp', esps[1] ?? '', '--esp', esps[2] ?? '', '--allow-unsigned'];
  const options = mounting({ [machine.esp]: 'rw', [esps[1] ?? '']: 'ro' });
  const ran = await machine.runWith(options, 'install', ...args, '-q');
  assert.equal(ran.status, 5);
  assert.deepEqual(machine.tree(esps[2]), {}, 'nothing is written below a mount point');
  const told = await standing(machine, options, ...args);
  assert.equal(told.status, 5);
  const codes = told.esps.map(({ problem }: { problem?: { code: string } }) => problem?.code);
  assert.deepEqual(codes, [undefined, 'ESP_READ_ONLY', 'ESP_NOT_MOUNTED']);
  assert.ok(told.esps[1].fromPrimary.length > 3);
  const { output } = await machine.runWith(options, 'status', ...args, '--metrics');
  const usable = [...output.matchAll(/esp_usable\{\S+ (\d)$/gm)].map(([, value]) => value);
  assert.deepEqual(usable, ['1', '0', '0']);
  assert.match(
    (await machine.runWith(options, 'status', ...args)).output,
    /To do: +! [\s\S]*read-only/,
  );

  machine.generations([{ number: 2 }]);
  const full = await standing(machine, options, ...args, '--reserve', '999999G');
  assert.equal(full.esps[0].problem.code, 'ESP_FULL');
});

test('an ESP that is away is passed over by verify and list, and told', async (t) => {
  const machine = aMachine(t, { generations: [{}] });
  const mirror = aMirror(machine);
  await install(machine, mirror);
  fs.renameSync(machine.esp, `${machine.esp}.away`);
  for (const verb of ['verify', 'list']) {
    const args = [...machine.arguments(), '--esp', mirror];
    const { status, output } = await machine.runWith({}, verb, ...args);
    assert.equal(status, 5);
    assert.match(output, /esp: no such directory|no such directory\n/);
    assert.match(output, /all is well|^1 .* next$/m);
  }
  const alone = await machine.runWith({}, 'verify', ...machine.arguments());
  assert.equal(alone.error?.code, 'ESP_NOT_MOUNTED');
});

test('where the profiles want what cannot be, the status says so of every ESP', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  const mirror = aMirror(machine);
  await install(machine, mirror);
  fs.truncateSync(join(machine.toplevel(2), 'boot.json'), 1);
  const args = [...machine.arguments(), '--esp', mirror, '--allow-unsigned'];
  const { status, esps } = await standing(machine, {}, ...args);
  assert.equal(status, 5);
  for (const { problem, fromProfiles } of esps) {
    assert.deepEqual([problem.code, fromProfiles], ['TARGET_BROKEN', undefined]);
  }
  assert.deepEqual(esps[1].fromPrimary, []);
});

test('a mirror with less room holds what fits, and that is as it should be', async (t) => {
  const initrd = (name: string) => name.repeat(300_000);
  const machine = aMachine(t, {
    generations: [{ initrd: initrd('a') }, { initrd: initrd('b') }, { initrd: initrd('c') }],
  });
  const mirror = aMirror(machine);
  const real = nodeDisk();
  const disk: RunOptions['disk'] = {
    fileSystem(path) {
      const found = real.fileSystem(path);
      if (!found || !path.startsWith(mirror)) return found;
      const used = files(mirror).reduce((sum, file) => sum + fs.statSync(file).size, 0);
      return { ...found, total: 800_000, free: Math.max(0, 800_000 - used) };
    },
  };
  const ran = await install(machine, mirror, { disk });
  assert.equal(ran.status, 0, ran.output);
  assert.equal(files(mirror).filter((path) => path.includes('-generation-')).length, 2);
  const args = [...machine.arguments(), '--esp', mirror, '--allow-unsigned'];
  const { status, esps } = await standing(machine, { disk }, ...args);
  assert.equal(status, 0);
  assert.deepEqual([esps[0].leftOut, esps[1].leftOut], [[], ['1']]);
  assert.deepEqual(
    esps[1].fromPrimary.map(({ kind }: { kind: string }) => kind),
    ['missing'],
  );
  const { output } = await machine.runWith({ disk }, 'status', ...args);
  assert.match(output, /left out for lack of room: 1;/m);
});
