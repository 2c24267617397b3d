/** An XBOOTLDR partition beside the ESP: entries and what they name there, and nothing of ours twice. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError, explain } from '../../src/error.ts';
import {
  aMachine,
  MAIN,
  type Machine,
  type MachineShape,
  type Ran,
  type RunOptions,
} from './a-machine.ts';

/** A machine, and the directory that is its XBOOTLDR partition. */
interface Pair {
  readonly machine: Machine;
  readonly xbootldr: string;
}

function aPair(t: TestContext, shape: MachineShape = {}): Pair {
  const machine = aMachine(t, shape);
  const xbootldr = join(machine.root, 'xbootldr');
  fs.mkdirSync(xbootldr);
  return { machine, xbootldr };
}

/** The paths of all files below a directory. */
const paths = ({ machine }: Pair, root: string): string[] => Object.keys(machine.tree(root));

/** What is only for the loader, and so for the ESP. */
const LOADER = [
  'EFI/BOOT/BOOTX64.EFI',
  'EFI/systemd/systemd-bootx64.efi',
  'loader/loader.conf',
] as const;
const PAYLOAD = /^(EFI\/(Linux|nixos)\/|loader\/entries(\/|\.srel$))/;

function run(pair: Pair, verb: string, ...args: readonly string[]): Promise<Ran> {
  return pair.machine.run(verb, '--xbootldr', pair.xbootldr, ...args);
}

/** Runs with a disk that behaves differently. */
function runOn(
  { machine, xbootldr }: Pair,
  disk: NonNullable<RunOptions['disk']>,
  verb: string,
): Promise<Ran> {
  const args = [...machine.arguments(), '--allow-unsigned', '--quiet', '--xbootldr', xbootldr];
  return machine.runWith({ disk }, verb, ...args);
}

for (const format of ['uki', 'type1'] as const) {
  test(`${format}: the loader is on the ESP, everything else on XBOOTLDR`, async (t) => {
    const pair = aPair(t, { generations: [{}, {}] });
    assert.equal((await run(pair, 'install', '--format', format)).status, 0);
    assert.deepEqual(paths(pair, pair.machine.esp), LOADER);
    const there = paths(pair, pair.xbootldr);
    assert.ok(there.length >= 3 && there.every((path) => PAYLOAD.test(path)), there.join(' '));
    assert.equal(fs.readFileSync(join(pair.xbootldr, 'loader/entries.srel'), 'utf8'), 'type1\n');
    assert.equal(pair.machine.next(), 2);
    const again = JSON.parse((await run(pair, 'install', '--format', format, '--json')).output);
    assert.deepEqual(again.esps[0].changes, []);
  });
}

test('entries that move to XBOOTLDR leave nothing of ours on the ESP but the loader', async (t) => {
  const pair = aPair(t, { generations: [{}, {}] });
  await pair.machine.run('install');
  const before = pair.machine.tree();
  assert.equal((await run(pair, 'install')).status, 0);
  assert.deepEqual(
    paths(pair, pair.machine.esp).filter((path) => path !== 'loader/entries.srel'),
    LOADER,
  );
  const moved = Object.entries(before).filter(([path]) => PAYLOAD.test(path));
  assert.deepEqual(Object.entries(pair.machine.tree(pair.xbootldr)), moved);
});

test('what others have on the ESP stays there when ours moves', async (t) => {
  const pair = aPair(t);
  await pair.machine.run('install', '--format', 'type1');
  const kernel = pair.machine.paths(/EFI\/nixos\/kernel/)[0] ?? '';
  pair.machine.put('loader/entries/mine.conf', `title Mine\nlinux /${kernel}\n`);
  pair.machine.put('EFI/Linux/fedora.efi', 'another distribution');
  await run(pair, 'install', '--format', 'type1');
  const left = paths(pair, pair.machine.esp);
  assert.deepEqual(
    left.filter((path) => !LOADER.some((own) => own === path)),
    ['EFI/Linux/fedora.efi', kernel, 'loader/entries.srel', 'loader/entries/mine.conf'].sort(),
  );
});

test('extra files move along, but for those of the loader, which are where they were', async (t) => {
  const pair = aPair(t);
  const config = join(pair.machine.root, 'extras.toml');
  const driver = 'EFI/systemd/drivers/ext4_x64.efi';
  fs.writeFileSync(
    config,
    `[extra-files]\n"EFI/memtest/memtest.efi" = "${config}"\n"${driver}" = "${config}"\n`,
  );
  const files = () => [pair.machine.esp, pair.xbootldr].map((root) => paths(pair, root));
  await pair.machine.run('install', '--config', config);
  assert.equal((await run(pair, 'install', '--config', config)).status, 0);
  const [onEsp = [], onXbootldr = []] = files();
  assert.deepEqual(
    onEsp.filter((path) => path !== 'loader/entries.srel'),
    [...LOADER, driver].sort(),
  );
  assert.ok(onXbootldr.includes('EFI/memtest/memtest.efi'));
  assert.match((await run(pair, 'install', '--config', config)).output, /nothing to do/);
  const back = ['--former-xbootldr', pair.xbootldr, '--config', config];
  assert.equal((await pair.machine.run('install', ...back)).status, 0);
  const [again = [], left] = files();
  assert.ok(again.includes(driver) && again.includes('EFI/memtest/memtest.efi'));
  assert.deepEqual(left, ['loader/entries.srel']);
});

test('an entry on the ESP that cannot be made again stays there', async (t) => {
  const pair = aPair(t, { generations: [{}, {}] });
  await pair.machine.run('install');
  fs.writeFileSync(join(pair.machine.toplevel(1), 'boot.json'), '{');
  assert.equal((await run(pair, 'install')).status, 5);
  assert.deepEqual(pair.machine.installed(), [1]);
  const { output } = await run(pair, 'list', '--long');
  assert.match(output, /nixos-generation-1-/);
  assert.match(output, /nixos-generation-2-/);
});

test('plan shows what would go from the ESP, and touches nothing', async (t) => {
  const pair = aPair(t);
  await pair.machine.run('install');
  const before = pair.machine.tree();
  const { output } = await run(pair, 'plan');
  assert.ok(output.includes(`remove-entries on ${pair.machine.esp}`), output);
  assert.match(output, /on the ESP itself: /);
  assert.deepEqual(pair.machine.tree(), before);
  assert.deepEqual(paths(pair, pair.xbootldr), []);
});

test('a counter is what it was when its entry has moved', async (t) => {
  const pair = aPair(t);
  await pair.machine.run('install', '--boot-counting', '3');
  const [path = ''] = pair.machine.paths(/EFI\/Linux/);
  const tried = path.replace('+3', '+1-2');
  fs.renameSync(join(pair.machine.esp, path), join(pair.machine.esp, tried));
  assert.equal((await run(pair, 'install', '--boot-counting', '3')).status, 0);
  assert.ok(paths(pair, pair.xbootldr).includes(tried));
  assert.deepEqual(pair.machine.installed(), []);
});

test('entries come back to the ESP, and go from a partition that is said to have had them', async (t) => {
  const pair = aPair(t, { generations: [{}, {}] });
  await run(pair, 'install');
  fs.writeFileSync(join(pair.xbootldr, 'vmlinuz-of-another'), '');
  const there = paths(pair, pair.xbootldr);
  assert.equal((await pair.machine.run('install')).status, 0);
  assert.deepEqual(paths(pair, pair.xbootldr), there);
  const args = ['--former-xbootldr', pair.xbootldr];
  assert.equal((await pair.machine.run('install', ...args)).status, 0);
  assert.deepEqual(paths(pair, pair.xbootldr), ['loader/entries.srel', 'vmlinuz-of-another']);
  assert.deepEqual(pair.machine.installed(), [1, 2]);
  assert.equal((await pair.machine.run('install', ...args)).status, 0);
});

test('a former XBOOTLDR partition that is not there is a warning', async (t) => {
  const { machine } = aPair(t);
  const { status } = await machine.run('install', '--former-xbootldr', join(machine.root, 'gone'));
  assert.equal(status, 5);
  assert.deepEqual(machine.installed(), [1]);
});

test('gc takes nothing from the ESP that XBOOTLDR does not have yet', async (t) => {
  const pair = aPair(t, { generations: [{}, {}] });
  await pair.machine.run('install');
  const before = pair.machine.tree();
  await run(pair, 'gc');
  assert.deepEqual(pair.machine.tree(), before);
  assert.deepEqual(paths(pair, pair.xbootldr), []);
});

test('repair mends what is on either, and removes nothing', async (t) => {
  const pair = aPair(t);
  await pair.machine.run('install');
  await run(pair, 'install');
  const [whole, esp] = [pair.machine.tree(pair.xbootldr), pair.machine.tree()];
  const image = paths(pair, pair.xbootldr).find((path) => path.startsWith('EFI/Linux')) ?? '';
  for (const path of [join(pair.xbootldr, image), join(pair.machine.esp, LOADER[0])]) {
    fs.truncateSync(path, fs.statSync(path).size - 400);
  }
  assert.equal((await run(pair, 'verify', '--deep')).status, 1);
  assert.equal((await run(pair, 'repair')).status, 0);
  assert.equal((await run(pair, 'verify', '--deep')).status, 0);
  assert.deepEqual(pair.machine.tree(pair.xbootldr), whole);
  assert.deepEqual(pair.machine.tree(), esp);
});

test('status tells the space of both', async (t) => {
  const pair = aPair(t);
  await run(pair, 'install');
  const { esps } = JSON.parse((await run(pair, 'status', '--json')).output);
  assert.equal(esps[0].xbootldr, pair.xbootldr);
  assert.ok(esps[0].espSpace.total > 0 && esps[0].space.ours > 0);
  assert.equal((await run(pair, 'status')).output.match(/ {2}░ free /g)?.length, 2);
  const metrics = await run(pair, 'status', '--metrics');
  assert.match(metrics.output, /^espalier_xbootldr_bytes\{esp=".*",kind="ours"\} [1-9]/m);
});

test('list shows the menu of both partitions', async (t) => {
  const pair = aPair(t);
  await run(pair, 'install');
  pair.machine.put('loader/entries/rescue.conf', 'title Rescue\nlinux /rescue\n');
  const { output } = await run(pair, 'list', '--long');
  assert.match(output, /Rescue/);
  assert.match(output, /nixos-generation-1-/);
});

test('keys for enrolment go to the ESP', async (t) => {
  const pair = aPair(t);
  const names = ['--yes-this-might-brick-my-machine', join(pair.machine.root, 'pki')];
  await pair.machine.runWith({}, 'keys', 'generate', join(pair.machine.root, 'pki'));
  await run(pair, 'install');
  const { status } = await pair.machine.runWith(
    { environment: { ESPALIER_XBOOTLDR: pair.xbootldr } },
    ...['keys', 'enroll', '--quiet', '--esp', pair.machine.esp, '--allow-directory', ...names],
  );
  assert.ok(status === 0 || status === 5);
  assert.ok(pair.machine.paths(/loader\/keys/).length > 0);
  assert.ok(!paths(pair, pair.xbootldr).some((path) => path.includes('keys')));
});

test('power lost at the end of the move leaves both, and the next run finishes it', async (t) => {
  const pair = aPair(t);
  await pair.machine.run('install');
  const disk = nodeDisk();
  const { esp } = pair.machine;
  const failing = {
    remove(path: string) {
      if (path.startsWith(esp)) throw new EspError('IO', `${path}: the power fails`);
      disk.remove(path);
    },
  };
  assert.equal((await runOn(pair, failing, 'install')).status, 1);
  assert.deepEqual(pair.machine.installed(), [1]);
  assert.ok(paths(pair, pair.xbootldr).some((path) => path.startsWith('EFI/Linux/')));
  assert.equal((await run(pair, 'install')).status, 0);
  assert.deepEqual(pair.machine.installed(), []);
});

test('an XBOOTLDR partition that is unmounted in mid-run is noticed', async (t) => {
  const pair = aPair(t);
  const disk = nodeDisk();
  let renames = 0;
  const leaving = {
    rename(from: string, to: string) {
      disk.rename(from, to);
      renames++;
    },
    stat(path: string) {
      const stat = disk.stat(path);
      return path === pair.xbootldr && renames > 0 && stat ? { ...stat, device: 1 } : stat;
    },
  };
  const { status, error } = await runOn(pair, leaving, 'install');
  assert.equal(status, 1);
  assert.match(explain(error), /xbootldr: it is not the file system/);
  assert.ok(!fs.existsSync(join(pair.machine.esp, 'loader/loader.conf')));
});

const TYPE = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

/** Makes two directories look like mounted partitions, of which udev says so much. */
function asPartitions({ machine, xbootldr }: Pair, udev: readonly string[]) {
  const disk = nodeDisk();
  const mounts = [machine.esp, xbootldr].map(
    (point, index) => `3${index} 1 8:${index + 1} / ${point} rw - vfat /dev/sda${index + 1} rw`,
  );
  const texts: Readonly<Record<string, string | undefined>> = {
    '/proc/self/mountinfo': mounts.join('\n'),
    '/run/udev/data/b8:1': udev[0],
    '/run/udev/data/b8:2': udev[1],
  };
  return {
    read(path: string, limit: number) {
      const text = texts[path];
      return text === undefined ? disk.read(path, limit) : new TextEncoder().encode(text);
    },
    stat(path: string) {
      if (path.startsWith('/run/udev/')) return texts[path] ? disk.stat(MAIN) : undefined;
      const found = disk.stat(path);
      return found && `${path}/`.startsWith(`${xbootldr}/`) ? { ...found, device: 1 } : found;
    },
  };
}

test('entries on the ESP go only when it is known that systemd-boot reads XBOOTLDR', async (t) => {
  const pair = aPair(t);
  const { machine, xbootldr } = pair;
  const gpt = `E:ID_PART_ENTRY_SCHEME=gpt\nE:ID_PART_ENTRY_DISK=8:0\nE:ID_PART_ENTRY_TYPE=`;
  const args = machine.arguments().filter((arg) => arg !== '--allow-directory');
  const install = (udev: readonly string[]) =>
    machine.runWith(
      { disk: asPartitions(pair, udev) },
      ...['install', ...args, '--allow-unsigned', '--json', '-q', '--xbootldr', xbootldr],
    );
  await machine.run('install');

  const wrong = await install([`${gpt}c12a7328-f81f-11d2-ba4b-00a0c93ec93b\n`, `${gpt}0fc63daf\n`]);
  assert.equal(wrong.error?.code, 'CONFIG_INVALID');
  assert.deepEqual(paths(pair, xbootldr), []);

  const unknown = await install([]);
  assert.equal(unknown.status, 5);
  assert.match(unknown.output, /entries of ours stay on .*esp: nobody can tell here/);
  assert.deepEqual(machine.installed(), [1]);
  assert.ok(paths(pair, xbootldr).length > 0);

  const known = [`${gpt}c12a7328-f81f-11d2-ba4b-00a0c93ec93b\n`, `${gpt}${TYPE}\n`];
  assert.equal((await install(known)).status, 0);
  assert.deepEqual(machine.installed(), []);
  assert.equal((await install([])).status, 0);
});

test('two runs that name the same partitions the other way round end, one after the other', async (t) => {
  const { machine, xbootldr } = aPair(t);
  const plain = machine.arguments().filter((arg) => arg !== '--esp' && arg !== machine.esp);
  const install = (esp: string, other: string) =>
    machine.runWith(
      {},
      ...['install', ...plain, '--allow-unsigned', '--quiet', '--lock-timeout', '20'],
      ...['--esp', esp, '--xbootldr', other],
    );
  const ran = await Promise.all([install(machine.esp, xbootldr), install(xbootldr, machine.esp)]);
  assert.deepEqual(
    ran.map(({ status }) => status),
    [0, 0],
  );
});

const MISTAKES: readonly (readonly [string, (pair: Pair) => readonly string[], RegExp])[] = [
  ['is the ESP', ({ machine }) => ['--xbootldr', machine.esp], /same file system/],
  [
    'lies in the ESP',
    ({ machine }) => {
      fs.mkdirSync(join(machine.esp, 'boot'));
      return ['--xbootldr', join(machine.esp, 'boot')];
    },
    /one lies in the other/,
  ],
  ['has the ESP in it', ({ machine }) => ['--xbootldr', machine.root], /one lies in the other/],
  [
    'is to go with two ESPs',
    ({ machine, xbootldr }) => ['--esp', machine.root, '--xbootldr', xbootldr],
    /goes with one ESP/,
  ],
  [
    'is the former one, too',
    ({ xbootldr }) => ['--xbootldr', xbootldr, '--former-xbootldr', xbootldr],
    /same file system/,
  ],
];
for (const [what, args, expected] of MISTAKES) {
  test(`an XBOOTLDR partition that ${what} is refused`, async (t) => {
    const pair = aPair(t);
    const { status, error } = await pair.machine.run('install', ...args(pair));
    assert.equal(status, 2);
    assert.equal(error?.code, 'CONFIG_INVALID');
    assert.match(error.message, expected);
    assert.deepEqual(paths(pair, pair.xbootldr), []);
  });
}

test('another file system that is mounted in the middle of XBOOTLDR is refused', async (t) => {
  const pair = aPair(t);
  fs.mkdirSync(join(pair.xbootldr, 'EFI'));
  const disk = nodeDisk();
  const stat = (path: string) => {
    const found = disk.stat(path);
    return found && path.endsWith('xbootldr/EFI') ? { ...found, device: 1 } : found;
  };
  const { status, error } = await runOn(pair, { stat }, 'install');
  assert.equal(status, 2);
  assert.match(error?.message ?? '', /EFI: another file system is mounted there/);
});

test('an XBOOTLDR partition that is not mounted is refused, with what to do', async (t) => {
  const { machine } = aPair(t);
  const { status, error } = await machine.run('install', '--xbootldr', join(machine.root, 'gone'));
  assert.equal(status, 3);
  assert.equal(error?.code, 'ESP_NOT_MOUNTED');
  assert.match(error.hint ?? '', /mount the XBOOTLDR partition/);
  assert.deepEqual(machine.tree(), {});
});
