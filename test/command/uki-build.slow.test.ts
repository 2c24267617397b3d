/** `uki build` as a verb: what it asks for, where it writes, and what it refuses to touch. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { findSection, parsePe } from '../../src/pe/pe.ts';
import { aPe } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aWorkbench, STUB } from './a-uki.ts';

describe('espalier uki build', () => {
  test('finds the stub in systemd, and tells what it wrote', async (t) => {
    const bench = aWorkbench(t);
    const { status, output } = await bench.build('--json', '--cmdline', ' a\n b ');
    assert.equal(status, 0);
    const { size } = fs.statSync(bench.path('out.efi'));
    const expected = { output: bench.path('out.efi'), size, certificate: null };
    assert.deepEqual(JSON.parse(output), { version: 1, verb: 'uki build', ...expected });
    const texts = await bench.texts();
    assert.deepEqual([texts['.cmdline'], texts['.osrel']], ['a b', 'ID=x']);
    assert.match(texts['.sbat'] ?? '', /^stub,1$/m);
  });

  test('two builds of the same are the same', async (t) => {
    const bench = aWorkbench(t);
    await bench.build();
    const first = bench.bytes('out.efi');
    await bench.build();
    assert.deepEqual(bench.bytes('out.efi'), first);
  });

  test('the image is called after the kernel where nobody says how', async (t) => {
    const bench = aWorkbench(t);
    const args = bench.arguments().filter((word) => !/^--output$|out\.efi$/.test(word));
    const before = process.cwd();
    process.chdir(bench.folder);
    t.after(() => process.chdir(before));
    assert.equal((await bench.try(['build', ...args])).status, 0);
    assert.deepEqual(bench.names(), ['initrd', 'linux', 'linux.unsigned.efi', 'systemd']);
  });

  test('flags count more than the configuration file, whose initrds come first', async (t) => {
    const bench = aWorkbench(t);
    const early = bench.put('early', 'abcd');
    const config = bench.put(
      'ukify.conf',
      `[UKI]\nInitrd=${early}\nCmdline=theirs\nUname=6.1\nSBAT=sbat,1,a\n  theirs,1\n`,
    );
    const flags = ['--cmdline', 'ours', '--sbat', 'sbat,1,b\nours,1'];
    await bench.build('--config', config, ...flags);
    const texts = await bench.texts();
    assert.deepEqual([texts['.cmdline'], texts['.uname']], ['ours', '6.1']);
    assert.match(texts['.sbat'] ?? '', /theirs,1\nours,1\n$/);
    const source = bytesSource(bench.bytes('out.efi'));
    const initrd = findSection(parsePe(source), '.initrd');
    assert.ok(initrd);
    assert.deepEqual(source.read(initrd.pointerToRawData, 4), new TextEncoder().encode('abcd'));
  });

  test('an image that is there is replaced, through a link as well', async (t) => {
    const bench = aWorkbench(t);
    bench.put('there.efi', 'old');
    fs.symlinkSync('there.efi', bench.path('out.efi'));
    assert.equal((await bench.build()).status, 0);
    assert.ok(fs.lstatSync(bench.path('out.efi')).isSymbolicLink());
    assert.equal(parsePe(bytesSource(bench.bytes('there.efi'))).machine, 0x8664);
  });

  test('nothing is left when a source changes meanwhile, and the old image stays', async (t) => {
    const bench = aWorkbench(t);
    bench.put('out.efi', 'old');
    const disk = nodeDisk();
    let looked = 0;
    const { status, error } = await bench.try(['build', ...bench.arguments()], {
      stat: (path) => {
        const stat = disk.stat(path);
        const isLater = path === bench.path('initrd') && ++looked > 1;
        return stat && isLater ? { ...stat, modified: stat.modified + 1 } : stat;
      },
    });
    assert.equal(status, 1);
    assert.equal(error?.code, 'SOURCE_CHANGED');
    assert.deepEqual(bench.names(), ['initrd', 'linux', 'out.efi', 'systemd']);
    assert.equal(new TextDecoder().decode(bench.bytes('out.efi')), 'old');
  });

  test('the kernel inside is signed only when asked, for it would start with any initrd', async (t) => {
    const bench = aWorkbench(t);
    const key = ['--secureboot-private-key', privateKeyPath, '--allow-insecure-key'];
    const signing = [...key, '--secureboot-certificate', certificatePath];
    const linuxSize = async (...more: readonly string[]) => {
      const { output } = await bench.build(...signing, '--json', ...more);
      assert.match(JSON.parse(output).certificate, /^[0-9a-f]{64}$/);
      const pe = parsePe(bytesSource(bench.bytes('out.efi')));
      assert.ok(pe.certificateTable.size > 0);
      return findSection(pe, '.linux')?.virtualSize ?? 0;
    };
    const plain = bench.bytes('linux').length;
    assert.equal(await linuxSize('--no-sign-kernel'), plain);
    assert.equal(await linuxSize(), plain);
    assert.ok((await linuxSize('--sign-kernel')) > plain);
    await bench.build(...signing, '--output', bench.path('signed'));
    bench.put('linux', bench.bytes('signed'));
    const { length } = bench.bytes('signed');
    assert.equal(await linuxSize(), length);
    assert.ok((await linuxSize('--sign-kernel')) > length);
  });
});

describe('refused, with nothing touched', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a kernel that is not there', ['--linux', '/none'], /^--linux: \/none is no file$/],
    ['a directory as an initrd', ['--initrd', '/'], /^--initrd: \/ is no file$/],
    ['a text file that is not there', ['--cmdline', '@/none'], /^--cmdline: \/none is no file$/],
    ['an empty path', ['--splash', ''], /^--splash: expected a path, got nothing$/],
    ['another processor', ['--efi-arch', 'vax'], /^--efi-arch: expected one of ia32, x64/],
    ['a key without a certificate', ['--secureboot-private-key', '/k'], /expected both/],
    ['signing the kernel without a key', ['--sign-kernel'], /^--sign-kernel: there is no/],
    ['a section without a name', ['--section', 'text'], /^--section: expected NAME:TEXT/],
    ['a name of nine letters', ['--section', '.ninechars:x'], /with a name of 1 to 8/],
    ['a second section', ['--section', '.linux:x'], /section \.linux: expected one per profile/],
    ["a section of the stub's", ['--section', '.text:x'], /\.text: the stub has one/],
    ['what is no SBAT', ['--sbat', 'mine,1'], /^--sbat: expected a first line/],
    ['a profile that is no profile', ['--join-profile', 'LINUX'], /no section of a profile/],
    ['a configuration that is not there', ['--config', '/none'], /^--config: \/none is no file$/],
    ['the kernel as output', ['--output', 'LINUX'], /^--output: .*linux is .*linux, which goes/],
    ['the stub as output', ['--output', 'STUB'], /which goes into it/],
    ['a device as output', ['--output', '/dev/null'], /\/dev\/null is there and is no file/],
    ['a directory that is not there', ['--output', '/none/x.efi'], /\/none is no directory/],
  ];
  for (const [name, more, message] of cases) {
    test(name, async (t) => {
      const bench = aWorkbench(t);
      const named: Readonly<Record<string, string>> = {
        LINUX: bench.path('linux'),
        STUB: bench.path('systemd/lib/systemd/boot/efi/linuxx64.efi.stub'),
      };
      const { status, error } = await bench.build(...more.map((word) => named[word] ?? word));
      assert.equal(status, 2, error?.message);
      assert.match(error?.message ?? '', message);
      assert.deepEqual(bench.names(), ['initrd', 'linux', 'systemd']);
    });
  }

  test('an initrd as output, under another name of it', async (t) => {
    const bench = aWorkbench(t);
    fs.linkSync(bench.path('initrd'), bench.path('same'));
    const { status, error } = await bench.build('--output', bench.path('same'));
    assert.equal(status, 2);
    assert.match(error?.message ?? '', /same is .*initrd, which goes into it/);
  });

  test('a key that others can read', async (t) => {
    const bench = aWorkbench(t);
    const key = bench.put('db.key', fs.readFileSync(privateKeyPath, 'utf8'));
    fs.chmodSync(key, 0o644);
    const pair = ['--secureboot-private-key', key, '--secureboot-certificate', certificatePath];
    const { error } = await bench.build(...pair);
    assert.equal(error?.code, 'KEY_INSECURE');
    assert.equal((await bench.build(...pair, '--allow-insecure-key')).status, 0);
  });

  test('a kernel that the stub cannot start', async (t) => {
    const bench = aWorkbench(t);
    const arm = aPe();
    new DataView(arm.buffer).setUint16(0x44, 0xaa64, true);
    bench.put('linux', arm);
    bench.put('stub', STUB);
    const { status, error } = await bench.build('--stub', bench.path('stub'));
    assert.equal(status, 3);
    assert.match(error?.message ?? '', /expected a stub for aa64 as the kernel, got one for x64/);
  });

  test('a kernel that is no EFI program', async (t) => {
    const bench = aWorkbench(t);
    bench.put('linux', 'text');
    assert.equal((await bench.build()).error?.code, 'PE_MALFORMED');
  });
});
