/** `--root`: a machine that does not start, mounted on one that does. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { rootedDisk } from '../../src/disk/rooted-disk.ts';
import { explain } from '../../src/error.ts';
import { findParts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aKernel, aMachine, type Machine } from './a-machine.ts';
import { STUB } from './a-uki.ts';

/** Everything below a directory; links are not followed. */
function* below(directory: string): Generator<fs.Dirent> {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    yield entry;
    if (entry.isDirectory()) yield* below(join(directory, entry.name));
  }
}

/** Makes the links and documents of a machine absolute within itself, as on a disk mounted elsewhere. */
function detach({ root }: Machine): void {
  for (const entry of [...below(root)]) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) {
      const { mtimeMs } = fs.lstatSync(path);
      const target = fs.readlinkSync(path);
      fs.unlinkSync(path);
      fs.symlinkSync(target.startsWith(root) ? target.slice(root.length) : target, path);
      fs.lutimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
    } else if (entry.name === 'boot.json') {
      fs.chmodSync(path, 0o600);
      fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replaceAll(root, ''));
    }
  }
}

const HASH = 'a'.repeat(64);
const SIGNING = ['--certificate', '/db.pem', '--private-key', '/db.key', '--allow-insecure-key'];

const inside = [
  ...['--esp', '/esp', '--allow-directory', '--profiles', '/nix/var/nix/profiles'],
  ...['--systemd', '/systemd', '--booted', '/booted', '--cache-dir', '/cache'],
  ...['--allow-unsigned', '--quiet'],
];

for (const format of ['uki', 'type1'] as const) {
  test(`a ${format} ESP made through --root is the one that the machine itself would make`, async (t) => {
    const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
    detach(machine);
    const args = ['--root', machine.root, ...inside, '--format', format];
    const { status, error } = await machine.runWith({}, 'install', ...args);
    assert.equal(status, 0, error?.message);
    assert.deepEqual(machine.installed(), [1, 2]);
    const again = await machine.runWith({}, 'plan', ...args);
    assert.match(again.output, /^\/esp: nothing to do/);
    assert.equal((await machine.runWith({}, 'verify', '--deep', ...args)).status, 0);
  });
}

test('an XBOOTLDR partition is below --root, too', async (t) => {
  const machine = aMachine(t);
  detach(machine);
  fs.mkdirSync(join(machine.root, 'xbootldr'));
  const args = ['--root', machine.root, ...inside, '--xbootldr', '/xbootldr'];
  assert.equal((await machine.runWith({}, 'install', ...args)).status, 0);
  assert.deepEqual(machine.installed(), []);
  const there = Object.keys(machine.tree(join(machine.root, 'xbootldr')));
  assert.deepEqual(
    there.filter((path) => !/^(EFI\/Linux|loader\/entries)/.test(path)),
    [],
  );
  assert.equal((await machine.runWith({}, 'verify', '--deep', ...args)).status, 0);
});

test('records for systemd-pcrlock are kept below --root, and once', async (t) => {
  const machine = aMachine(t);
  detach(machine);
  const directory = join(machine.root, 'var/lib/pcrlock.d/635-lanzaboote.pcrlock.d');
  const args = ['--root', machine.root, ...inside, '--pcrlock-directory', '/var/lib/pcrlock.d'];
  assert.equal((await machine.runWith({}, 'install', ...args)).status, 0);
  const { ino } = fs.lstatSync(join(directory, '1.pcrlock'));
  assert.match(fs.readFileSync(join(directory, '1.pcrlock'), 'utf8'), /^\{"records":/);
  assert.equal((await machine.runWith({}, 'install', ...args)).status, 0);
  assert.equal(fs.lstatSync(join(directory, '1.pcrlock')).ino, ino);
});

test('no link inside leads out of the root', async (t) => {
  const machine = aMachine(t);
  detach(machine);
  const outside = join(machine.root, '..', 'espalier-outside');
  fs.symlinkSync(
    `../../../../../../..${outside}`,
    join(machine.root, 'nix/var/nix/profiles/system-9-link'),
  );
  const { error, status } = await machine.runWith({}, 'install', '--root', machine.root, ...inside);
  assert.equal(status, 5, error?.message);
  assert.equal(fs.existsSync(outside), false);
});

test('links that lead round in circles cost what is behind them, as on the machine itself', async (t) => {
  const machine = aMachine(t, { generations: [{}, {}] });
  detach(machine);
  fs.rmSync(machine.link(1));
  fs.symlinkSync('system-1-link', machine.link(1));
  fs.symlinkSync('pins', join(machine.root, 'pins'));
  const args = ['--root', machine.root, ...inside, '--pins', '/pins', '--json'];
  const { status, output, error } = await machine.runWith({}, 'install', ...args);
  assert.equal(status, 5, error?.message);
  assert.match(output, /generation 1 is broken/);
  assert.deepEqual(machine.installed(), [2]);
});

test('the target is named by its path inside', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'one' }, { initrd: 'two' }] });
  detach(machine);
  const link = '/nix/var/nix/profiles/system-1-link';
  await machine.runWith({}, 'install', '--root', machine.root, ...inside, link);
  assert.equal(machine.next(), 1);
});

test('a root that is not there is a mistake of the command line', async (t) => {
  const machine = aMachine(t);
  const { status, error } = await machine.runWith({}, 'install', '--root', '/nowhere', ...inside);
  assert.equal(status, 2);
  assert.match(error?.message ?? '', /--root \/nowhere/);
});

test('the secrets program of a mounted system runs inside of it', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('SKIPPED, needs root: chroot');
  const busybox = findParts()?.busybox;
  if (busybox === undefined) return t.skip('SKIPPED, missing parts: node test/lab/fetch.ts');
  const machine = aMachine(t, {
    generations: [{ secrets: 'cat /secret >> "$1"' }],
  });
  detach(machine);
  fs.mkdirSync(join(machine.root, 'bin'));
  fs.mkdirSync(join(machine.root, 'run'));
  fs.copyFileSync(busybox, join(machine.root, 'bin/sh'));
  fs.copyFileSync(busybox, join(machine.root, 'bin/cat'));
  fs.writeFileSync(join(machine.root, 'secret'), 'from inside');
  const args = ['--root', machine.root, ...inside, '--format', 'type1', '--run-secrets'];
  const { status, error } = await machine.runWith({}, 'install', ...args);
  assert.equal(status, 0, error && `${error.message} ${error.cause}`);
  const [initrd = ''] = machine.paths(/initrd/);
  assert.match(machine.read(initrd), /from inside$/);
});

/** A directory of the host, beside the mounted system, with one file in it. */
function aHost(t: TestContext): { readonly directory: string; readonly file: string } {
  const directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'espalier-host-')));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, 'file');
  fs.writeFileSync(file, 'of the host', { mode: 0o600 });
  return { directory, file };
}

/** Makes a link inside a mounted system, with the directories above it. */
function plant(machine: Machine, path: string, target: string): void {
  const at = join(machine.root, path);
  fs.mkdirSync(dirname(at), { recursive: true, mode: 0o700 });
  fs.symlinkSync(target, at);
}

describe('whatever links a mounted system has, the host stays as it is:', () => {
  const records = 'var/lib/pcrlock.d';
  const writers: readonly (readonly [string, string, 'directory' | 'file', readonly string[]])[] = [
    ['the cache of digests', 'cache/digests.json', 'file', ['install']],
    ['the directory of the cache', 'cache', 'directory', ['install']],
    [
      'a record for systemd-pcrlock',
      `${records}/635-lanzaboote.pcrlock.d/1.pcrlock`,
      'file',
      ['install', '--pcrlock-directory', `/${records}`],
    ],
    [
      'the directory of such records',
      records,
      'directory',
      ['install', '--pcrlock-directory', `/${records}`],
    ],
    ['the directory of pins', 'pins', 'directory', ['pin', '--pins', '/pins', '1']],
    ['a pin', 'pins/system-1-link', 'file', ['pin', '--pins', '/pins', '1']],
    ['a directory on the ESP', 'esp/EFI', 'directory', ['install']],
    ['the loader on the ESP', 'esp/EFI/BOOT/BOOTX64.EFI', 'file', ['install']],
    ['the settings of the loader', 'esp/loader/loader.conf', 'file', ['install']],
    ['a request for signatures', 'request', 'file', ['plan', '--signing-request', '/request']],
  ];
  for (const [what, path, kind, [verb = '', ...more]] of writers) {
    test(what, async (t) => {
      const [machine, host] = [aMachine(t), aHost(t)];
      detach(machine);
      machine.asInStore();
      plant(machine, path, kind === 'file' ? host.file : host.directory);
      fs.copyFileSync(certificatePath, join(machine.root, 'db.pem'));
      const asked = verb === 'plan' ? ['--certificate', '/db.pem'] : [];
      await machine.runWith({}, verb, '--root', machine.root, ...inside, ...asked, ...more);
      assert.deepEqual(fs.readdirSync(host.directory), ['file']);
      assert.equal(fs.readFileSync(host.file, 'utf8'), 'of the host');
    });
  }

  const others: readonly (readonly [string, string, 'directory' | 'file', readonly string[]])[] = [
    ['the kernels that are kept', 'state', 'directory', ['kernel', 'add', '6.1.0', '/linux']],
    ['their files', 'state/files', 'directory', ['kernel', 'add', '6.1.0', '/linux']],
    ['their links', 'state/generations', 'directory', ['kernel', 'add', '6.1.0', '/linux']],
    ['the directory of keys', 'sb', 'directory', ['keys', 'generate', '--bits', '2048', '/sb']],
    ['the owner of keys', 'sb/GUID', 'file', ['keys', 'generate', '--bits', '2048', '/sb']],
    ['a copy of the configuration', 'run/copy', 'file', ['config', 'copy', '/run/copy']],
    ['where that copy goes', 'run', 'directory', ['config', 'copy', '/run/copy']],
    ['a program that is signed', 'out', 'file', ['sign', '/a.efi', '--output', '/out', ...SIGNING]],
    ['one that is signed in place', 'in', 'file', ['sign', '/in', ...SIGNING]],
    [
      'the signature of a root hash',
      'out',
      'file',
      ['verity', 'sign', HASH, '--output', '/out', ...SIGNING],
    ],
    [
      'a root hash',
      'out',
      'file',
      ['verity', 'format', '/data', '/hash', '--root-hash-file', '/out'],
    ],
    [
      'an image',
      'out',
      'file',
      ['uki', 'build', '--linux', '/linux', '--stub', '/stub', '--output', '/out'],
    ],
    ['a pin that is removed', 'pins/system-1-link', 'file', ['unpin', '--pins', '/pins', '1']],
    ['a disk', 'out', 'file', ['image', 'convert', '/data', '/out', '--format', 'vdi', '--force']],
  ];
  for (const [what, path, kind, args] of others) {
    test(`${what}, by ${args.slice(0, 2).join(' ')}`, async (t) => {
      const [machine, host] = [aMachine(t), aHost(t)];
      detach(machine);
      const put = (name: string, bytes: Uint8Array | string) =>
        fs.writeFileSync(join(machine.root, name), bytes, { mode: 0o600 });
      put('data', Buffer.alloc(8192));
      put('linux', aKernel());
      put('stub', STUB);
      put('a.efi', aKernel('a'));
      put('db.pem', fs.readFileSync(certificatePath));
      put('db.key', privateKeyPem);
      fs.mkdirSync(join(machine.root, 'etc'));
      put('etc/espalier.toml', 'limit = 3\n');
      fs.mkdirSync(join(machine.root, 'etc/kernel'));
      put('etc/kernel/cmdline', 'root=x');
      plant(machine, path, kind === 'file' ? host.file : host.directory);
      const environment = {
        ESPALIER_ROOT: machine.root,
        ESPALIER_STATE_DIR: '/state',
        ESPALIER_PROFILES: '/nix/var/nix/profiles',
      };
      await machine.runWith({ environment }, ...args);
      assert.deepEqual(fs.readdirSync(host.directory), ['file']);
      assert.equal(fs.readFileSync(host.file, 'utf8'), 'of the host');
    });
  }

  test('a device that stands in the place of a file', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('SKIPPED, needs root: mknod');
    const machine = aMachine(t);
    fs.writeFileSync(join(machine.root, 'data'), Buffer.alloc(8192));
    // The numbers of a loop device that nobody attached.
    run('mknod', [join(machine.root, 'hash'), 'b', '7', '250']);
    const environment = { ESPALIER_ROOT: machine.root };
    const { error } = await machine.runWith({ environment }, 'verity', 'format', '/data', '/hash');
    const isDev = nodeDisk().fileSystem(machine.root)?.type === 0x01021994;
    if (!isDev) assert.match(error?.message ?? '', /\/hash: expected a file of the running system/);
  });

  test('what would be the temporary file of a text', async (t) => {
    const [machine, host] = [aMachine(t), aHost(t)];
    const disk = rootedDisk(nodeDisk(), machine.root);
    plant(machine, `text.${process.pid}`, host.file);
    await disk.replaceText('/text', 'new');
    assert.equal(fs.readFileSync(join(machine.root, 'text'), 'utf8'), 'new');
    assert.equal(fs.readFileSync(host.file, 'utf8'), 'of the host');
  });

  test('what verity writes beside the Disk port', async (t) => {
    const [machine, host] = [aMachine(t), aHost(t)];
    fs.writeFileSync(join(machine.root, 'data'), Buffer.alloc(8192));
    plant(machine, 'hash', host.file);
    plant(machine, 'absent', join(host.directory, 'made'));
    const environment = { ESPALIER_ROOT: machine.root };
    for (const hash of ['/hash', '/absent'])
      await machine.runWith({ environment }, 'verity', 'format', '/data', hash);
    assert.deepEqual(fs.readdirSync(host.directory), ['file']);
    assert.equal(fs.readFileSync(host.file, 'utf8'), 'of the host');
  });
});

test('a kernel or initrd that is an absolute link is the file below the root', async (t) => {
  const machine = aMachine(t, { generations: [{ initrd: 'inside' }] });
  detach(machine);
  for (const name of ['kernel', 'initrd']) {
    const path = join(machine.root, fs.readlinkSync(join(rooted(machine), name)));
    const real = `${path}.real`;
    fs.renameSync(path, real);
    fs.symlinkSync(real.slice(machine.root.length), path);
  }
  const args = ['--root', machine.root, ...inside, '--format', 'type1'];
  const { status, error } = await machine.runWith({}, 'install', ...args);
  assert.equal(status, 0, error && explain(error));
  assert.deepEqual(
    machine.paths(/initrd/).map((path) => machine.read(path)),
    ['inside'],
  );
});

/** The toplevel of generation 1 of a detached machine, as the host sees it. */
function rooted({ root }: Machine): string {
  return join(root, fs.readlinkSync(join(root, 'nix/var/nix/profiles/system-1-link')));
}

describe('what a mounted system names to be run', () => {
  for (const verb of ['install', 'plan']) {
    test(`for its secrets is not run by ${verb}`, async (t) => {
      const secrets = 'echo ran > "$(dirname "$1")/../ran"; echo secret >> "$1"';
      const machine = aMachine(t, { generations: [{}, { secrets }] });
      detach(machine);
      fs.mkdirSync(join(machine.root, 'run'));
      const args = ['--root', machine.root, ...inside];
      const { status, error, output } = await machine.runWith({}, verb, ...args);
      assert.equal(fs.existsSync(join(machine.root, 'run/ran')), false);
      assert.equal(status, verb === 'install' ? 1 : 5, output);
      if (verb === 'install') assert.match(error?.hint ?? '', /--run-secrets/);
    });
  }

  /** A mounted system whose configuration names a command that leaves a trace on the host. */
  function aSigningSystem(t: TestContext) {
    const [machine, host] = [aMachine(t), aHost(t)];
    detach(machine);
    const command = join(host.directory, 'sign');
    fs.writeFileSync(command, `#!/bin/sh\ntouch ${host.directory}/ran\n`, { mode: 0o755 });
    fs.mkdirSync(join(machine.root, 'etc'));
    fs.copyFileSync(certificatePath, join(machine.root, 'db.pem'));
    fs.writeFileSync(
      join(machine.root, 'etc/espalier.toml'),
      `certificate = "/db.pem"\nsigning-command = "${command}"\n`,
    );
    const args = ['--root', machine.root, ...inside.filter((arg) => arg !== '--allow-unsigned')];
    const hasRun = () => fs.existsSync(join(host.directory, 'ran'));
    return { machine, command, args, hasRun };
  }

  for (const format of ['uki', 'type1']) {
    test(`to sign is not run by install (${format})`, async (t) => {
      const { machine, args, hasRun } = aSigningSystem(t);
      const { status, error } = await machine.runWith({}, 'install', ...args, '--format', format);
      assert.equal(hasRun(), false);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', /signing-command .* the mounted system names it/);
      assert.deepEqual(machine.tree(), {});
    });

    test(`to sign is not run by plan (${format})`, async (t) => {
      const { machine, args, hasRun } = aSigningSystem(t);
      const { output } = await machine.runWith({}, 'plan', ...args, '--format', format);
      assert.match(output, /publish/);
      assert.equal(hasRun(), false);
    });
  }

  test('to sign is left out with --allow-unsigned', async (t) => {
    const { machine, args, hasRun } = aSigningSystem(t);
    const { status } = await machine.runWith({}, 'install', ...args, '--allow-unsigned');
    assert.equal(hasRun(), false);
    assert.equal(status, 5);
    assert.deepEqual(machine.installed(), [1]);
  });

  test('runs when a flag of this command line names it', async (t) => {
    const { machine, command, args, hasRun } = aSigningSystem(t);
    await machine.runWith({}, 'install', ...args, '--signing-command', command);
    assert.equal(hasRun(), true);
  });
});
