/** Nothing that lies on an ESP, or on any FAT, gets our signature, whoever names it. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aKernel, aMachine, aSystemdBoot } from './a-machine.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

const SIGNED = aSystemdBoot('255');

/** Reads as the disk does, and says that FAT is mounted at each path. */
function withStick(...sticks: readonly string[]): Disk['read'] {
  const disk = nodeDisk();
  const lines = sticks.map((stick) => `9 1 8:9 / ${stick} rw,relatime - vfat /dev/sdx1 rw\n`);
  return (path, limit) =>
    path === '/proc/self/mountinfo'
      ? Buffer.concat([disk.read(path, limit), Buffer.from(lines.join(''))])
      : disk.read(path, limit);
}

/** The description of an image whose /usr a hash tree protects; `data` are contents, or a path of bytes. */
function aProtectedImage(data: string): string {
  const usr = data.startsWith('{')
    ? `format = "erofs"\ncontents = [${data}]`
    : `copy-blocks = "${data}"`;
  return `
[[partition]]
type = "esp"
[[partition]]
type = "usr-verity"
verity = "hash"
match = "usr"
[[partition]]
type = "usr"
verity = "data"
match = "usr"
${usr}
`;
}

/** A machine with a key, and a stick with FAT beside its ESP. */
function aStick(t: TestContext) {
  const machine = aMachine(t, { generations: [{}, { kernel: aKernel('new'), initrd: 'new' }] });
  const at = (name: string) => join(machine.root, name);
  fs.mkdirSync(at('stick'));
  fs.writeFileSync(at('db.key'), privateKeyPem, { mode: 0o600 });
  const keys = ['--certificate', certificatePath, '--private-key', at('db.key')];
  const read = withStick(at('stick'));
  const run = (verb: string, ...args: readonly string[]) =>
    machine.runWith({ disk: { read } }, verb, ...args, '--quiet');
  const install = (...args: readonly string[]) =>
    run('install', ...machine.arguments(), ...keys, ...args);
  return { machine, at, keys, run, install };
}

/** Puts a file where it is not trusted, and a link to it elsewhere; returns the three ways to name it. */
function planted({ at, machine }: ReturnType<typeof aStick>, name: string, bytes: Uint8Array) {
  fs.writeFileSync(at(`stick/${name}`), bytes);
  machine.put(`evil/${name}`, bytes);
  fs.symlinkSync(at(`stick/${name}`), at(`link-to-${name}`));
  return [at(`stick/${name}`), join(machine.esp, 'evil', name), at(`link-to-${name}`)];
}

describe('it is refused', () => {
  test('as FILE of sign', async (t) => {
    const stick = aStick(t);
    // Of a plain directory only the settings say that it is an ESP, and `sign` is given none.
    const files = planted(stick, 'a.efi', SIGNED).filter(
      (file) => !file.startsWith(stick.machine.esp),
    );
    for (const file of files) {
      const out = stick.at('out.efi');
      const { error } = await stick.run('sign', file, '--output', out, ...stick.keys);
      assert.equal(error?.code, 'SOURCE_UNTRUSTED', file);
      assert.equal(fs.existsSync(out), false);
    }
  });

  test('under [extra-files] with sign, but not as a plain copy', async (t) => {
    const stick = aStick(t);
    for (const file of planted(stick, 'a.efi', SIGNED)) {
      const config = stick.at('config.toml');
      const declare = (sign: boolean) =>
        fs.writeFileSync(
          config,
          `[extra-files]\n"EFI/x.efi" = { source = "${file}", sign = ${sign} }\n`,
        );
      declare(true);
      const { error } = await stick.install('--config', config);
      assert.equal(error?.code, 'SOURCE_UNTRUSTED', file);
      declare(false);
      assert.equal((await stick.install('--config', config)).status, 0);
    }
  });

  test('under [extra-sign], which costs nothing else', async (t) => {
    const stick = aStick(t);
    for (const file of planted(stick, 'a.efi', SIGNED)) {
      const [config, out] = [stick.at('config.toml'), stick.at('out.efi')];
      fs.writeFileSync(config, `[extra-sign]\n"${file}" = "${out}"\n`);
      assert.equal((await stick.install('--config', config)).status, 5, file);
      assert.equal(fs.existsSync(out), false);
      assert.deepEqual(stick.machine.installed(), [1, 2]);
    }
  });

  for (const format of ['uki', 'type1']) {
    for (const role of format === 'uki' ? (['kernel', 'initrd'] as const) : (['kernel'] as const)) {
      test(`as the ${role} of a bootspec (${format})`, async (t) => {
        const stick = aStick(t);
        const { machine } = stick;
        const path = fs.realpathSync(join(machine.toplevel(1), role));
        for (const file of planted(stick, role, fs.readFileSync(path))) {
          fs.rmSync(path, { force: true });
          fs.symlinkSync(file, path);
          assert.equal((await stick.install('--format', format)).status, 5, file);
          assert.deepEqual(machine.installed(), [2]);
        }
        // Who signs nothing may boot what he likes.
        const unsigned = await stick.run(
          'install',
          ...machine.arguments(),
          '--allow-unsigned',
          '--format',
          format,
        );
        assert.equal(unsigned.status, 0);
      });
    }
  }

  test('as loader and stub of --systemd', async (t) => {
    const stick = aStick(t);
    const moved = stick.at('stick/systemd');
    fs.cpSync(stick.machine.systemd, moved, { recursive: true });
    const { error } = await stick.install('--systemd', moved);
    assert.equal(error?.code, 'SOURCE_UNTRUSTED');
  });
});

describe('what a key would vouch for is refused on FAT', () => {
  /** Runs a verb on a bench that has a key, and a stick with FAT. */
  function aStickBench(t: TestContext) {
    const bench = aWorkbench(t);
    const key = bench.put('db.key', privateKeyPem);
    fs.chmodSync(key, 0o600);
    for (const name of ['linux', 'initrd', 'systemd']) {
      fs.cpSync(bench.path(name), bench.path(`stick/${name}`), { recursive: true });
    }
    bench.put('stick/cmdline', 'quiet');
    bench.put('above/own', 'on the disk');
    bench.put('above/stick/file', 'on another stick');
    const [read, linkStat] = [
      withStick(bench.path('stick'), bench.path('above/stick')),
      statOf(bench),
    ];
    return { bench, key, run: (args: readonly string[]) => bench.run(args, { read, linkStat }) };
  }

  /** What is mounted has another device number than what it is mounted on. */
  function statOf(bench: Workbench): Disk['linkStat'] {
    const disk = nodeDisk();
    return (path) => {
      const stat = disk.linkStat(path);
      const isOther = path.startsWith(bench.path('above/stick'));
      return stat && isOther ? { ...stat, device: stat.device + 1 } : stat;
    };
  }

  const cases: readonly (readonly [string, (at: (name: string) => string) => string[]])[] = [
    ['kernel', (at) => ['--linux', at('linux')]],
    ['initrd', (at) => ['--initrd', at('initrd')]],
    ['command line', (at) => ['--cmdline', `@${at('cmdline')}`]],
    ['section', (at) => ['--section', `.mine:@${at('cmdline')}`]],
    ['picture', (at) => ['--splash', at('cmdline')]],
    ['stub', (at) => ['--systemd', at('systemd')]],
  ];
  for (const [what, flags] of cases) {
    test(`as ${what} of uki build, with the key of Secure Boot or of policies`, async (t) => {
      const { bench, key, run } = aStickBench(t);
      const given = flags((name) => bench.path(`stick/${name}`));
      for (const signed of [
        ['--secureboot-private-key', key, '--secureboot-certificate', certificatePath],
        ['--pcr-private-key', key],
      ]) {
        const { error } = await run(['uki', 'build', ...bench.arguments(), ...given, ...signed]);
        assert.equal(error?.code, 'SOURCE_UNTRUSTED', error?.message);
        assert.equal(fs.existsSync(bench.path('out.efi')), false);
      }
      const unsigned = await run(['uki', 'build', ...bench.arguments(), ...given]);
      assert.equal(unsigned.error, undefined);
    });
  }

  const dataOf: readonly (readonly [string, (at: (name: string) => string) => string])[] = [
    ['a directory', (at) => `{ source = "${at('stick/tree')}", target = "/" }`],
    ['a link to a file', (at) => `{ source = "${at('link')}", target = "/x" }`],
    ['a pattern', (at) => `{ source = "${at('stick/tree')}/*", target = "/" }`],
    ['a tar file', (at) => `{ tar = "${at('stick/a.tar')}", target = "/" }`],
    ['a list of store paths', (at) => `{ source-list = "${at('stick/list')}" }`],
    ['what is mounted below it', (at) => `{ source = "${at('above')}", target = "/" }`],
    ['bytes', (at) => at('stick/tree/file')],
  ];
  for (const [what, source] of dataOf) {
    test(`as data under a hash tree of image build: ${what}`, async (t) => {
      const { bench, key, run } = aStickBench(t);
      bench.put('stick/tree/file', 'data\n'.repeat(2000));
      bench.put('stick/list', `${bench.path('stick/tree')}\n`);
      bench.put('stick/a.tar', new Uint8Array(1024));
      fs.symlinkSync(bench.path('stick/tree/file'), bench.path('link'));
      const description = bench.put(
        'image.toml',
        aProtectedImage(source((name) => bench.path(name))),
      );
      const build = ['image', 'build', description, '--output', bench.path('disk.raw')];
      const signed = ['--certificate', certificatePath, '--private-key', key];
      // Who makes the ESP later signs the root hash elsewhere.
      for (const more of [signed, ['--defer', 'esp']]) {
        const { error } = await run([...build, ...more]);
        assert.equal(error?.code, 'SOURCE_UNTRUSTED', error?.message);
        assert.equal(fs.existsSync(bench.path('disk.raw')), false);
      }
      const unsigned = await run([...build, '--dry-run']);
      assert.equal(unsigned.error, undefined, unsigned.error?.message);
    });
  }

  test('as kernel of an image for booting that image build makes', async (t) => {
    const { bench, key, run } = aStickBench(t);
    const uki = (linux: string) =>
      `[partition.uki]\npath = "/EFI/Linux/a.efi"\nlinux = "${linux}"\nsystemd = "systemd"\nos-release = "ID=x"`;
    const described = (linux: string) =>
      bench.put('image.toml', `[[partition]]\ntype = "esp"\n${uki(linux)}\n`);
    const build = ['image', 'build', '--output', bench.path('disk.raw')];
    const signed = ['--certificate', certificatePath, '--private-key', key];
    const { error } = await run([...build, described('stick/linux'), ...signed]);
    assert.equal(error?.code, 'SOURCE_UNTRUSTED', error?.message);
    assert.equal(fs.existsSync(bench.path('disk.raw')), false);
    assert.equal((await run([...build, described('linux'), ...signed])).error, undefined);
  });

  test('as the root hash of verity sign', async (t) => {
    const { bench, key, run } = aStickBench(t);
    const hash = bench.put('stick/usr.roothash', 'a'.repeat(64));
    const pair = ['--certificate', certificatePath, '--private-key', key];
    const { error } = await run(['verity', 'sign', hash, ...pair, '--output', bench.path('s')]);
    assert.equal(error?.code, 'SOURCE_UNTRUSTED');
    assert.equal(fs.existsSync(bench.path('s')), false);
  });

  for (const [what, path] of [
    ['the description of a system', 'boot.json'],
    ['its kernel', 'kernel'],
  ] as const) {
    test(`as ${what}, where policies for PCR 11 are signed and images are not`, async (t) => {
      const stick = aStick(t);
      const { machine } = stick;
      const at = path === 'kernel' ? fs.realpathSync(join(machine.toplevel(1), path)) : '';
      const file = at || join(machine.toplevel(1), path);
      const policies = ['--allow-unsigned', '--pcr-private-key', stick.at('db.key')];
      const args = ['install', ...machine.arguments(), ...policies];
      assert.equal((await stick.run('plan', ...args.slice(1))).status, 0);
      fs.copyFileSync(file, stick.at('stick/it'));
      fs.rmSync(file);
      fs.symlinkSync(stick.at('stick/it'), file);
      assert.equal((await stick.run(...(args as [string, ...string[]]))).status, 5);
      assert.deepEqual(machine.installed(), [2]);
      // With the key of Secure Boot likewise.
      assert.equal((await stick.install()).status, 5);
      assert.deepEqual(machine.installed(), [2]);
    });
  }

  test('as the command line of installed kernels', async (t) => {
    const stick = aStick(t);
    fs.writeFileSync(stick.at('stick/cmdline'), 'root=x init=/bin/sh');
    const environment = { KERNEL_INSTALL_CONF_ROOT: stick.at('stick') };
    const args = ['kernel', 'add', '6.1.0', stick.at('linux'), '--state-dir', stick.at('state')];
    fs.writeFileSync(stick.at('linux'), aKernel());
    const { error } = await stick.machine.runWith(
      { disk: { read: withStick(stick.at('stick')) }, environment },
      ...args,
    );
    assert.equal(error?.code, 'SOURCE_UNTRUSTED');
    assert.equal(fs.existsSync(stick.at('state')), false);
  });
});

describe('a private key', () => {
  const insecure = ['--allow-insecure-key'];

  test('on FAT is refused, unless that is allowed', async (t) => {
    const stick = aStick(t);
    fs.copyFileSync(stick.at('db.key'), stick.at('stick/db.key'));
    fs.symlinkSync(stick.at('stick/db.key'), stick.at('linked.key'));
    for (const key of [stick.at('stick/db.key'), stick.at('linked.key')]) {
      const { error } = await stick.install('--private-key', key);
      assert.equal(error?.code, 'KEY_INSECURE');
      assert.match(error.message, /FAT/);
      assert.equal((await stick.install('--private-key', key, ...insecure)).status, 0);
    }
  });

  test('is not made on FAT, and nothing of it is left there', async (t) => {
    const stick = aStick(t);
    fs.symlinkSync(stick.at('stick'), stick.at('link'));
    for (const directory of [stick.at('stick/keys'), stick.at('link/keys')]) {
      const { error } = await stick.run('keys', 'generate', '--bits', '2048', directory);
      assert.equal(error?.code, 'KEY_INSECURE');
      assert.deepEqual(fs.readdirSync(stick.at('stick')), []);
    }
  });

  test('as a section of every image is refused', async (t) => {
    const stick = aStick(t);
    const config = stick.at('config.toml');
    for (const section of ['splash', 'ucode', 'sbat']) {
      fs.writeFileSync(config, `[sections]\n${section} = "${stick.at('db.key')}"\n`);
      const { error } = await stick.install('--config', config);
      assert.equal(error?.code, 'CONFIG_INVALID');
      assert.match(error.message, new RegExp(`sections.${section}: .* is a private key`));
    }
    assert.deepEqual(stick.machine.installed(), []);
  });

  test('among the files for the ESP is warned of', async (t) => {
    const stick = aStick(t);
    const config = stick.at('config.toml');
    fs.writeFileSync(config, `[extra-files]\n"EFI/x" = "${stick.at('db.key')}"\n`);
    const { status, output } = await stick.install('--config', config, '--json');
    assert.equal(status, 5);
    assert.match(JSON.parse(output).warnings.join(), /db\.key is a private key, and everyone/);
  });

  test('in a work tree of git is warned of', async (t) => {
    const stick = aStick(t);
    const key = stick.at('tree/secrets/db.key');
    fs.mkdirSync(dirname(key), { recursive: true });
    fs.mkdirSync(stick.at('tree/.git'));
    fs.copyFileSync(stick.at('db.key'), key);
    const { status, output } = await stick.install('--private-key', key, '--json');
    assert.equal(status, 5);
    assert.match(JSON.parse(output).warnings.join('\n'), /work tree of git/);
    assert.equal((await stick.install('--private-key', key, ...insecure)).status, 0);
  });
});
