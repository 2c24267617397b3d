/** What the program refuses, with which status and which words, and that nothing is touched by it. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { certificatePath, privateKeyPath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, type Machine, type Ran } from './a-machine.ts';

/** Asserts that a run was refused so, and that the ESP is as it was. */
async function refused(
  machine: Machine,
  runs: () => Promise<Ran>,
  expected: { status: number; code: string; message?: RegExp; hint?: RegExp },
): Promise<void> {
  const before = machine.tree();
  const { status, error } = await runs();
  assert.equal(error?.code, expected.code, error?.message);
  assert.equal(status, expected.status);
  assert.match(error.message, expected.message ?? /./);
  assert.match(error.hint ?? '', expected.hint ?? /./);
  assert.deepEqual(machine.tree(), before);
}

describe('the target', () => {
  const targets: readonly (readonly [string, (machine: Machine) => string, string, RegExp])[] = [
    [
      'a directory on another file system',
      ({ esp }) => esp,
      'ESP_NOT_MOUNTED',
      /--allow-directory/,
    ],
    ['a file system that is not FAT', () => '/proc', 'ESP_NOT_FAT', /--allow-directory/],
    ['nothing', ({ root }) => join(root, 'none'), 'ESP_NOT_MOUNTED', /mount the ESP/],
    ['a file that holds no FAT', () => '/proc/version', 'ESP_NOT_FAT', /partition|disk image/],
  ];
  for (const [what, path, code, hint] of targets) {
    test(`${what} is refused with a hint`, async (t) => {
      const machine = aMachine(t);
      const args = machine.arguments().filter((arg) => arg !== '--allow-directory');
      args[1] = path(machine);
      await refused(machine, () => machine.runWith({}, 'install', ...args, '--allow-unsigned'), {
        status: 3,
        code,
        hint,
      });
    });
  }

  test('an ESP that another boot loader lays out is refused', async (t) => {
    const machine = aMachine(t);
    for (const mark of ['type2', 'x'.repeat(64)]) {
      machine.put('loader/entries.srel', mark);
      await refused(machine, () => machine.run('install'), {
        status: 3,
        code: 'FOREIGN_LAYOUT',
        message: /entries\.srel: expected type1, got/,
      });
    }
  });

  test('an empty mark of the layout is written anew', async (t) => {
    const machine = aMachine(t);
    machine.put('loader/entries.srel', '');
    assert.equal((await machine.run('install')).status, 0);
    assert.equal(machine.read('loader/entries.srel'), 'type1\n');
  });

  test('generations for two kinds of machine are refused', async (t) => {
    const machine = aMachine(t, { generations: [{ system: 'aarch64-linux' }, {}] });
    await refused(machine, () => machine.run('install'), {
      status: 3,
      code: 'MIXED_ARCHITECTURES',
      message: /aarch64-linux \(generation 1\)/,
    });
  });

  test('a system for another machine than --system says is refused', async (t) => {
    const machine = aMachine(t);
    await refused(machine, () => machine.run('install', '--system', 'riscv64-linux'), {
      status: 3,
      code: 'MIXED_ARCHITECTURES',
    });
  });

  for (const [what, path] of [
    ['a path that leads nowhere', '/nix/store/none'],
    ['a system that is no generation', '/'],
  ] as const) {
    test(`${what} is no target`, async (t) => {
      const machine = aMachine(t);
      await refused(machine, () => machine.run('install', path), {
        status: 1,
        code: 'TARGET_BROKEN',
      });
    });
  }

  test('a directory without generations is refused', async (t) => {
    const machine = aMachine(t);
    const empty = join(machine.root, 'empty');
    fs.mkdirSync(empty);
    const args = ['--esp', machine.esp, '--allow-directory', '--allow-unsigned'];
    await refused(machine, () => machine.runWith({}, 'install', ...args, '--profiles', empty), {
      status: 3,
      code: 'NO_BOOTABLE_GENERATION',
      hint: /--profiles/,
    });
  });
});

describe('Secure Boot', () => {
  test('on and without a key nothing is installed', async (t) => {
    const machine = aMachine(t);
    machine.variable('SecureBoot', 'global', Uint8Array.of(1));
    await refused(machine, () => machine.run('install'), {
      status: 3,
      code: 'SECURE_BOOT_UNSIGNED',
      hint: /--certificate and --private-key/,
    });
  });

  test('off, or on with a key, does not stop an install', async (t) => {
    const machine = aMachine(t);
    machine.variable('SecureBoot', 'global', Uint8Array.of(0));
    assert.equal((await machine.run('install')).status, 0);
    machine.variable('SecureBoot', 'global', Uint8Array.of(1));
    const key = aKey(machine, privateKeyPem);
    const args = ['--certificate', certificatePath, '--private-key', key];
    const { status, error } = await machine.runWith({}, 'install', ...machine.arguments(), ...args);
    assert.equal(status, 0, error?.message);
  });

  test('neither a key nor --allow-unsigned is a mistake', async (t) => {
    const machine = aMachine(t);
    await refused(machine, () => machine.runWith({}, 'install', ...machine.arguments()), {
      status: 2,
      code: 'CONFIG_INVALID',
      message: /no certificate and no private key/,
      hint: /--allow-unsigned/,
    });
  });
});

/** Writes a key that only its owner can read. */
function aKey(machine: Machine, pem: string, mode = 0o600): string {
  const path = join(machine.root, 'signing.key');
  fs.writeFileSync(path, pem, { mode });
  fs.chmodSync(path, mode);
  return path;
}

describe('keys', () => {
  const another = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const encrypted = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const mistakes: readonly (readonly [string, string, number, string, RegExp])[] = [
    ['that is none', 'no key at all', 0o600, 'KEY_INVALID', /expected PEM with a PRIVATE KEY/],
    ['of another certificate', another.privateKey, 0o600, 'KEY_INVALID', /is not the key of/],
    ['that is encrypted', encrypted.privateKey, 0o600, 'KEY_INVALID', /it is encrypted/],
    [
      'that others can read',
      privateKeyPem,
      0o644,
      'KEY_INSECURE',
      /it has mode 644, expected 600 or less/,
    ],
  ];
  for (const [what, pem, mode, code, message] of mistakes) {
    test(`a private key ${what} is told before anything is written`, async (t) => {
      const machine = aMachine(t);
      const keys = ['--certificate', certificatePath, '--private-key', aKey(machine, pem, mode)];
      const install = () => machine.runWith({}, 'install', ...machine.arguments(), ...keys);
      await refused(machine, install, { status: 2, code, message });
    });
  }

  test('a private key that others can read is used when that is allowed', async (t) => {
    const machine = aMachine(t);
    const key = aKey(machine, privateKeyPem, 0o644);
    const keys = ['--certificate', certificatePath, '--private-key', key, '--allow-insecure-key'];
    const { status } = await machine.runWith({}, 'install', ...machine.arguments(), ...keys);
    assert.equal(status, 0);
  });

  test('a certificate without its key, or a key without its certificate, is a mistake', async (t) => {
    const machine = aMachine(t);
    for (const [given, path, lacking] of [
      ['--certificate', certificatePath, '--private-key'],
      ['--private-key', privateKeyPath, '--certificate'],
    ] as const) {
      const args = [...machine.arguments(), '--allow-unsigned', given, path];
      await refused(machine, () => machine.runWith({}, 'install', ...args), {
        status: 2,
        code: 'CONFIG_INVALID',
        message: new RegExp(`^${given} is given without ${lacking}`),
      });
    }
  });
});

describe('space', () => {
  const full = { type: 0x4d44, clusterSize: 4096, free: 8192, total: 1 << 20 };

  test('too little of it is refused with the numbers and with what frees it', async (t) => {
    const machine = aMachine(t);
    const args = [...machine.arguments(), '--allow-unsigned', '--quiet'];
    const install = () => machine.runWith({ disk: { fileSystem: () => full } }, 'install', ...args);
    await refused(machine, install, {
      status: 4,
      code: 'ESP_FULL',
      message:
        /generation 1 needs \d+ bytes \(.* KiB\); 8192 bytes can be had: 8\.0 KiB free, 0 B in our own files, 0 B kept in reserve/,
      hint: /nix-env --delete-generations/,
    });
  });

  test('older generations that do not fit are left out with the reason', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'x'.repeat(90_000) }, {}] });
    const disk = { fileSystem: () => ({ ...full, free: 130_000 }) };
    const args = [...machine.arguments(), '--allow-unsigned', '--quiet'];
    const { status, output } = await machine.runWith({ disk }, 'install', ...args);
    assert.equal(status, 0);
    assert.match(output, /left out: generation 1, no space on the ESP/);
    assert.deepEqual(machine.installed(), [2]);
  });

  test('--reserve leaves out what would take it', async (t) => {
    const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
    const disk = { fileSystem: () => ({ ...full, free: 200_000 }) };
    const args = [...machine.arguments(), '--allow-unsigned', '--quiet', '--reserve', '100K'];
    const { status, output } = await machine.runWith({ disk }, 'install', ...args);
    assert.equal(status, 0);
    assert.match(output, /left out: generation 1, no space on the ESP/);
  });

  test('a reserve that is larger than the ESP is refused', async (t) => {
    const machine = aMachine(t);
    await refused(machine, () => machine.run('install', '--reserve', '900000G'), {
      status: 4,
      code: 'ESP_FULL',
      hint: /lower --reserve/,
    });
  });
});

test('a systemd without a boot loader, or with something else in its place, is a mistake', async (t) => {
  const machine = aMachine(t);
  const loader = join(machine.systemd, 'lib/systemd/boot/efi/systemd-bootx64.efi');
  fs.writeFileSync(loader, 'no loader');
  await refused(machine, () => machine.run('install', '--format', 'type1'), {
    status: 2,
    code: 'CONFIG_INVALID',
    message: /expected systemd-boot, got a damaged program: .*DOS header/,
    hint: /--systemd/,
  });
  fs.unlinkSync(loader);
  await refused(machine, () => machine.run('install', '--format', 'type1'), {
    status: 2,
    code: 'CONFIG_INVALID',
    message: /there is no systemd-boot/,
  });
});

test('a missing stub is a mistake, with the way around it', async (t) => {
  const machine = aMachine(t);
  await refused(machine, () => machine.run('install', '--stub', '/none'), {
    status: 2,
    code: 'CONFIG_INVALID',
    message: /\/none: there is no stub/,
    hint: /--format type1/,
  });
});
