/** EFI variables: boot entries of firmware, and what the boot loader does next. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { ioError } from '../../src/io-error.ts';
import { parseBootOption, parseBootOrder } from '../../src/loader/boot-option.ts';

import { readDocument } from '../support/read-document.ts';
import { aMachine, aSystemdBoot, type Machine, type Ran } from './a-machine.ts';

const PARTUUID = '0a1b2c3d-1122-3344-5566-77889900aabb';
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const LOADER = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

/** What udev and the kernel tell of a partition, though the ESP is a directory. */
function seenAsPartition(machine: Machine) {
  const real = nodeDisk();
  const device = '259:7';
  const texts: Record<string, string> = {
    '/proc/self/mountinfo': `1 0 ${device} / ${machine.esp} rw - vfat /dev/nvme0n1p2 rw\n`,
    [`/run/udev/data/b${device}`]: [
      'E:ID_PART_ENTRY_SCHEME=gpt',
      'E:ID_PART_ENTRY_TYPE=c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
      `E:ID_PART_ENTRY_UUID=${PARTUUID}`,
      'E:ID_PART_ENTRY_DISK=259:5',
      'E:ID_PART_ENTRY_NUMBER=2',
      'E:ID_PART_ENTRY_OFFSET=2048',
      'E:ID_PART_ENTRY_SIZE=204800',
      '',
    ].join('\n'),
  };
  const bytes = (path: string) => new TextEncoder().encode(texts[path]);
  return {
    read: (path: string, limit: number) => (texts[path] ? bytes(path) : real.read(path, limit)),
    stat: (path: string) => {
      const size = texts[path]?.length;
      return size === undefined
        ? real.stat(path)
        : ({ ...real.stat('/proc/self/status'), kind: 'file' as const, size } as never);
    },
    fileSystem: (path: string) => {
      const found = real.fileSystem(path);
      return found && path === machine.esp ? { ...found, type: 0x4d44 } : found;
    },
  };
}

/** Runs a verb on a machine whose ESP looks like a partition. */
function run(machine: Machine, ...words: readonly string[]): Promise<Ran> {
  const args = machine.arguments().filter((word) => word !== '--allow-directory');
  const all = [...words, ...args, '--allow-unsigned', '--quiet'];
  return machine.runWith({ disk: seenAsPartition(machine) }, ...all);
}

/** Runs a verb as {@link run} does, and returns what it prints with `--json`. */
async function told(machine: Machine, verb: string, ...words: readonly string[]) {
  const { output, error } = await run(machine, ...verb.split(' '), ...words, '--json');
  assert.equal(error, undefined, error?.message);
  return readDocument(verb, output);
}

/** The value of a variable without its attributes. */
function variable(machine: Machine, name: string, vendor = GLOBAL): Buffer | undefined {
  const path = join(machine.efivars, `${name}-${vendor}`);
  return fs.existsSync(path) ? fs.readFileSync(path).subarray(4) : undefined;
}

function order(machine: Machine): readonly number[] {
  return parseBootOrder(variable(machine, 'BootOrder') ?? new Uint8Array());
}

/** A machine with an installed loader, and firmware that starts something else. */
async function installed(t: TestContext, ...args: readonly string[]): Promise<Machine> {
  const machine = aMachine(t, { generations: [{}, {}] });
  machine.variable('BootOrder', 'global', Uint8Array.of(1, 0));
  machine.variable(
    'Boot0001',
    'global',
    Buffer.from('0100000004006f00740068006500720000007fff0400', 'hex'),
  );
  const { status, error } = await run(machine, 'install', ...args);
  assert.equal(status, 0, error?.message);
  return machine;
}

test('what they print with --json is as their schemas say', async (t) => {
  const machine = await installed(t);
  assert.deepEqual((await told(machine, 'firmware register'))['changed'], ['Boot0000']);
  await told(machine, 'firmware list');
  assert.equal((await told(machine, 'entry next', '1'))['changed'], true);
  await told(machine, 'entry default', '--clear');
  await told(machine, 'loader timeout', '7');
  assert.deepEqual((await told(machine, 'firmware forget'))['removed'], ['Boot0000']);
});

const PATH = '\\EFI\\systemd\\systemd-bootx64.efi';

describe('firmware register', () => {
  test('makes an entry with the lowest free number and puts it first', async (t) => {
    const machine = await installed(t);
    const { output } = await run(machine, 'firmware', 'register');
    assert.equal(output, 'set Boot0000 and BootOrder');
    assert.deepEqual(order(machine), [0, 1]);
    const option = parseBootOption(variable(machine, 'Boot0000') ?? new Uint8Array());
    assert.deepEqual(option, {
      isActive: true,
      partition: PARTUUID,
      path: PATH,
      title: 'Linux Boot Manager',
    });
    assert.equal((await run(machine, 'firmware', 'register')).output, 'nothing to do');
  });

  test('finds the one that is there in whichever case, and moves it only when asked', async (t) => {
    const machine = await installed(t);
    await run(machine, 'firmware', 'register');
    machine.variable('BootOrder', 'global', Uint8Array.of(1, 0, 0, 0));
    assert.equal((await run(machine, 'firmware', 'register')).output, 'nothing to do');
    await run(machine, 'firmware', 'register', '--first');
    assert.deepEqual(order(machine), [0, 1]);
  });

  test('puts the loader before it behind it, and forget removes both, be they there or not', async (t) => {
    const machine = await installed(t);
    await run(machine, 'firmware', 'register');
    const previous = 'EFI/systemd/systemd-boot-fallbackx64.efi';
    machine.put(previous, aSystemdBoot('256'));
    const { output } = await run(machine, 'firmware', 'register');
    assert.equal(output, 'set Boot0002 and BootOrder');
    assert.deepEqual(order(machine), [0, 2, 1]);
    const option = parseBootOption(variable(machine, 'Boot0002') ?? new Uint8Array());
    assert.equal(option?.title, 'Fallback Linux Boot Manager');
    assert.equal(option?.path, '\\EFI\\systemd\\systemd-boot-fallbackx64.efi');
    machine.variable('BootOrder', 'global', Uint8Array.of(2, 0, 1, 0, 0, 0));
    await run(machine, 'firmware', 'register', '--first');
    assert.deepEqual(order(machine), [0, 2, 1]);
    fs.rmSync(join(machine.esp, previous));
    const forgotten = await run(machine, 'firmware', 'forget');
    assert.equal(forgotten.output, 'removed Boot0000, Boot0002');
  });

  test('is refused where nobody tells the partition', async (t) => {
    const machine = await installed(t);
    const { error } = await machine.runWith({}, 'firmware', 'register', ...machine.arguments());
    assert.equal(error?.code, 'FIRMWARE_ABSENT');
    assert.equal(variable(machine, 'Boot0000'), undefined);
  });

  test('is refused for another system', async (t) => {
    const machine = await installed(t);
    const environment = { ESPALIER_EFIVARS: join(machine.root, 'none') };
    const { error } = await machine.runWith({ environment }, 'firmware', 'list');
    assert.equal(error?.code, 'FIRMWARE_ABSENT');
  });
});

test('firmware list tells what each entry starts, and which is not there', async (t) => {
  const machine = await installed(t);
  await run(machine, 'firmware', 'register');
  machine.variable('BootCurrent', 'global', Uint8Array.of(1, 0));
  const { output, status } = await run(machine, 'firmware', 'list');
  assert.equal(status, 0);
  assert.match(
    output,
    /Boot0000 {2}Linux Boot Manager {2}\S+\/esp\/EFI\/systemd\/systemd-bootx64\.efi/,
  );
  assert.match(output, /Boot0001 {2}other +no file +started by/);
  fs.rmSync(join(machine.esp, 'EFI/systemd/systemd-bootx64.efi'));
  const later = await run(machine, 'firmware', 'list');
  assert.ok(later.meant.includes('bad: NOT THERE'));
  assert.equal(later.status, 5);
  assert.match(later.output, /NOT THERE/);
});

test('firmware forget removes ours from the order and then altogether, and no other', async (t) => {
  const machine = await installed(t);
  await run(machine, 'firmware', 'register');
  machine.variable('BootNext', 'global', Uint8Array.of(0, 0));
  assert.equal((await run(machine, 'firmware', 'forget')).output, 'removed Boot0000');
  assert.deepEqual(order(machine), [1]);
  assert.equal(variable(machine, 'Boot0000'), undefined);
  assert.equal(variable(machine, 'BootNext'), undefined);
  assert.ok(variable(machine, 'Boot0001'));
  const named = await run(machine, 'firmware', 'forget', 'Boot0001');
  assert.equal(named.output, 'removed Boot0001', named.error?.message);
});

describe('install --efi-entry', () => {
  test('registers the loader once the files are in place, and heals it', async (t) => {
    const machine = await installed(t, '--efi-entry');
    assert.deepEqual(order(machine), [0, 1]);
    fs.rmSync(join(machine.efivars, `Boot0000-${GLOBAL}`));
    const { output } = await run(machine, 'install', '--efi-entry');
    assert.match(output, /firmware: Boot0000 starts our boot loader/);
    assert.doesNotMatch((await run(machine, 'install', '--efi-entry')).output, /firmware/);
  });

  for (const [errno, said] of [
    ['ENOSPC', /NVRAM\) is full/],
    ['EROFS', /are read-only/],
  ] as const) {
    test(`tells ${errno} as what it is, and fails nothing else`, async (t) => {
      const machine = aMachine(t);
      const args = machine.arguments().filter((word) => word !== '--allow-directory');
      machine.variable('BootOrder', 'global', Uint8Array.of());
      fs.rmSync(join(machine.efivars, `BootOrder-${GLOBAL}`));
      machine.variable('Timeout', 'global', Uint8Array.of(5, 0));
      const disk = {
        ...seenAsPartition(machine),
        hostPath: (path: string) => {
          if (!path.includes('/Boot0000-')) return path;
          throw ioError('write', path, Object.assign(new Error(errno), { code: errno }));
        },
      };
      const words = ['install', '--efi-entry', ...args, '--allow-unsigned', '--json'];
      const { status, output } = await machine.runWith({ disk }, ...words);
      assert.equal(status, 5);
      assert.deepEqual(machine.installed(), [1]);
      const { warnings } = JSON.parse(output) as { warnings: string[] };
      assert.match(warnings.join(), said);
    });
  }
});

/** The text of a variable of the boot loader. */
function loaderText(machine: Machine, name: string): string | undefined {
  return variable(machine, name, LOADER)?.toString('utf16le');
}

describe('entry', () => {
  test('next and default name an entry that is there, by its generation', async (t) => {
    const machine = await installed(t);
    assert.equal((await run(machine, 'entry', 'next', '1')).status, 0);
    assert.match(
      loaderText(machine, 'LoaderEntryOneShot') ?? '',
      /^nixos-generation-1-\w{52}\.efi\0$/,
    );
    assert.equal((await run(machine, 'entry', 'next', '1')).output, 'nothing to do');
    await run(machine, 'entry', 'default', '2');
    assert.match(loaderText(machine, 'LoaderEntryDefault') ?? '', /^nixos-generation-2-/);
    await run(machine, 'entry', 'default', '--clear');
    assert.equal(loaderText(machine, 'LoaderEntryDefault'), undefined);
  });

  test('what is not there is not named', async (t) => {
    const machine = await installed(t);
    const { error } = await run(machine, 'entry', 'next', '7');
    assert.equal(error?.status, 2);
    assert.equal(error?.hint, 'name one of 1, 2');
    assert.equal((await run(machine, 'entry', 'next')).error?.status, 2);
  });

  test('a shorter value leaves nothing of a longer one', async (t) => {
    const machine = await installed(t);
    machine.loaderVariable('LoaderEntryDefault', 'x'.repeat(200));
    await run(machine, 'entry', 'default', '1');
    assert.match(loaderText(machine, 'LoaderEntryDefault') ?? '', /\.efi\0$/);
  });
});

test('install --once starts a system once, and leaves what boots always', async (t) => {
  const machine = await installed(t);
  assert.equal(machine.next(), 2);
  const { status, output } = await run(machine, 'install', '--once', machine.toplevel(1));
  assert.equal(status, 0);
  assert.equal(machine.next(), 2);
  // What boots always is told, too: without this line nobody would know of the other.
  assert.match(output, /firmware: nixos-generation-1-\w{52}\.efi starts at the next start/);
  assert.match(
    loaderText(machine, 'LoaderEntryOneShot') ?? '',
    /^nixos-generation-1-\w{52}\*\.efi\0$/,
  );
});

test('--clear-overrides clears what is meant to last, and nothing that is right', async (t) => {
  const machine = await installed(t);
  machine.loaderVariable('LoaderEntryDefault', 'windows.conf');
  machine.loaderVariable('LoaderEntryPreferred', 'nixos-generation-2-*');
  const { status, output } = await run(machine, 'install', '--clear-overrides');
  assert.equal(status, 0);
  assert.match(output, /LoaderEntryDefault is cleared, which was "windows\.conf"/);
  assert.equal(loaderText(machine, 'LoaderEntryDefault'), undefined);
  assert.ok(loaderText(machine, 'LoaderEntryPreferred'));
});

test('a pattern is told and cleared where it starts another entry than the installed one', async (t) => {
  const machine = await installed(t);
  machine.loaderVariable('LoaderEntryDefault', '*');
  const newest = await run(machine, 'install');
  assert.equal(newest.status, 0);
  const older = await run(machine, 'install', machine.toplevel(1), '--json');
  assert.equal(older.status, 5);
  assert.match(older.output, /LoaderEntryDefault is ..\*.. and overrides what was installed/);
  const cleared = await run(machine, 'install', machine.toplevel(1), '--clear-overrides');
  assert.match(cleared.output, /LoaderEntryDefault is cleared, which was "\*"/);
  assert.equal(loaderText(machine, 'LoaderEntryDefault'), undefined);
});

describe('loader timeout', () => {
  test('is a number, for always or once', async (t) => {
    const machine = await installed(t);
    await run(machine, 'loader', 'timeout', '7');
    await run(machine, 'loader', 'timeout', '5', '--once');
    assert.equal(loaderText(machine, 'LoaderConfigTimeout'), '7\0');
    assert.equal(loaderText(machine, 'LoaderConfigTimeoutOneShot'), '5\0');
    await run(machine, 'loader', 'timeout', '--clear');
    assert.equal(loaderText(machine, 'LoaderConfigTimeout'), undefined);
  });

  test('is a word only where the loader says that it knows such words', async (t) => {
    const machine = await installed(t);
    assert.equal((await run(machine, 'loader', 'timeout', 'menu-force')).error?.status, 2);
    machine.variable('LoaderFeatures', 'loader', Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0));
    assert.equal((await run(machine, 'loader', 'timeout', 'menu-force')).status, 0);
    assert.equal((await run(machine, 'loader', 'timeout', 'soon')).error?.status, 2);
  });
});
