import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

const missing = missingTools(['openssl', 'sbsigntool']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

/** A checkout keeps no permissions: the fixture's key is copied to be private. */
function pair(bench: Workbench): string[] {
  const key = bench.put('keys/db.key', privateKeyPem);
  fs.chmodSync(key, 0o600);
  return ['--certificate', certificatePath, '--private-key', key];
}

function sign(bench: Workbench, files: readonly string[], ...more: readonly string[]) {
  const paths = files.map((name) => bench.path(name));
  return bench.run(['sign', ...paths, ...pair(bench), '--quiet', ...more]);
}

/** A program whose size is no multiple of 8. */
const PROGRAM = Uint8Array.from([
  ...aPe({ sections: [{ name: '.text', bytes: countingBytes(900) }] }),
  ...[1, 2, 3],
]);

const verify = (bench: Workbench, name: string, certificate = certificatePath) =>
  run('sbverify', ['--cert', certificate, bench.path(name)]);

describe('sign', () => {
  test('signs programs where they lie, and sbverify takes them', { skip }, async (t) => {
    const bench = aWorkbench(t);
    bench.put('a.efi', PROGRAM);
    bench.put('b.efi', aPe());
    const { status, output } = await sign(bench, ['a.efi', 'b.efi']);
    assert.equal(status, 0);
    assert.match(output, /a\.efi: signed\n.*b\.efi: signed$/);
    verify(bench, 'a.efi');
    verify(bench, 'b.efi');
    assert.deepEqual(
      bench.names().filter((name) => name.startsWith('.')),
      [],
      'nothing is left over',
    );
  });

  test('a program that has our signature stays as it is, to the inode', async (t) => {
    const bench = aWorkbench(t);
    const path = bench.put('a.efi', PROGRAM);
    await sign(bench, ['a.efi']);
    const before = fs.statSync(path);
    const { status, output } = await sign(bench, ['a.efi']);
    assert.equal(status, 0);
    assert.match(output, /nothing to do/);
    const { ino, mtimeMs } = fs.statSync(path);
    assert.deepEqual([ino, mtimeMs], [before.ino, before.mtimeMs]);
  });

  test('a signature of another stays beside ours', { skip }, async (t) => {
    const bench = aWorkbench(t);
    const path = bench.put('a.efi', PROGRAM);
    const [other, key] = [bench.path('other.pem'), bench.path('other.key')];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=Other'];
    run('openssl', [...request, '-keyout', key, '-out', other]);
    run('sbsign', ['--cert', other, '--key', key, '--output', path, path]);
    assert.equal((await sign(bench, ['a.efi'])).status, 0);
    verify(bench, 'a.efi');
    verify(bench, 'a.efi', other);
  });

  test('--output leaves the program as it is, and is not written twice', { skip }, async (t) => {
    const bench = aWorkbench(t);
    bench.put('a.efi', PROGRAM);
    const output = ['--output', bench.path('a.efi.signed')];
    assert.equal((await sign(bench, ['a.efi'], ...output)).status, 0);
    assert.deepEqual(bench.bytes('a.efi'), PROGRAM);
    verify(bench, 'a.efi.signed');
    assert.match((await sign(bench, ['a.efi'], ...output)).output, /nothing to do/);
  });

  test('--output of a program that has our signature is a copy of it', async (t) => {
    const bench = aWorkbench(t);
    bench.put('a.efi', PROGRAM);
    await sign(bench, ['a.efi']);
    await sign(bench, ['a.efi'], '--output', bench.path('b.efi'));
    assert.deepEqual(bench.bytes('b.efi'), bench.bytes('a.efi'));
  });

  test('--output takes the place of another program’s signed one, and of what is none', {
    skip,
  }, async (t) => {
    const bench = aWorkbench(t);
    bench.put('a.efi', PROGRAM);
    bench.put('b.efi', aPe());
    await sign(bench, ['b.efi']);
    await sign(bench, ['a.efi'], '--output', bench.path('b.efi'));
    verify(bench, 'b.efi');
    assert.equal(bench.bytes('b.efi').length > PROGRAM.length, true);
    bench.put('c.efi', 'no program');
    await sign(bench, ['a.efi'], '--output', bench.path('c.efi'));
    verify(bench, 'c.efi');
  });

  test('who could read the program can read the signed one, and nobody else', async (t) => {
    const bench = aWorkbench(t);
    for (const mode of [0o644, 0o600]) {
      const path = bench.put('a.efi', PROGRAM);
      fs.chmodSync(path, mode);
      await sign(bench, ['a.efi']);
      assert.equal(fs.statSync(path).mode & 0o777, mode);
    }
  });

  test('a link stays a link, and a program is signed once by all its names', async (t) => {
    const bench = aWorkbench(t);
    bench.put('a.efi', PROGRAM);
    fs.symlinkSync('a.efi', bench.path('link.efi'));
    const { output } = await sign(bench, ['link.efi', 'a.efi'], '--json');
    const { files } = JSON.parse(output) as { files: unknown[] };
    assert.equal(files.length, 1);
    assert.equal(fs.readlinkSync(bench.path('link.efi')), 'a.efi');
    assert.match((await sign(bench, ['a.efi'])).output, /nothing to do/);
  });

  test('one file that is no program keeps all of them from being signed', async (t) => {
    const bench = aWorkbench(t);
    bench.put('a.efi', PROGRAM);
    bench.put('text.efi', 'MZ and nothing more');
    const { status, error } = await sign(bench, ['a.efi', 'text.efi']);
    assert.equal(status, 1);
    assert.equal(error?.code, 'PE_MALFORMED');
    assert.match(error.message, /text\.efi/);
    assert.deepEqual(bench.bytes('a.efi'), PROGRAM);
  });

  test('a file on FAT is not replaced, and one with a new name is made there', async (t) => {
    const bench = aWorkbench(t);
    bench.put('a.efi', PROGRAM);
    const real = nodeDisk();
    const fileSystem: typeof real.fileSystem = (path) => {
      const found = real.fileSystem(path);
      return found && { ...found, type: 0x4d44 };
    };
    const args = ['sign', bench.path('a.efi'), ...pair(bench), '--quiet'];
    const { status, error } = await bench.run(args, { fileSystem });
    assert.equal(status, 3);
    assert.equal(error?.code, 'FAT_REPLACE');
    assert.deepEqual(bench.bytes('a.efi'), PROGRAM);
    const named = [...args, '--output', bench.path('new.efi')];
    assert.equal((await bench.run(named, { fileSystem })).status, 0);
    assert.match((await bench.run(named, { fileSystem })).output, /nothing to do/);
  });

  test('a program that changes meanwhile is left as it is', async (t) => {
    const bench = aWorkbench(t);
    const path = bench.put('a.efi', PROGRAM);
    const real = nodeDisk();
    const rename = () => assert.fail('renamed');
    const create: typeof real.create = (at, readers) => {
      fs.appendFileSync(path, 'more');
      return real.create(at, readers);
    };
    const args = ['sign', path, ...pair(bench), '--quiet'];
    const { error } = await bench.run(args, { create, rename });
    assert.equal(error?.code, 'SOURCE_CHANGED');
    assert.deepEqual(
      bench.names().filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  const misuses: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['two programs for one output', ['linux', 'b.efi', '--output', 'c.efi'], /expected one FILE/],
    ['an output in no directory', ['linux', '--output', 'none/c.efi'], /none is no directory/],
    ['an output that is a directory', ['linux', '--output', 'systemd'], /is no file/],
  ];
  for (const [what, args, words] of misuses) {
    test(`refuses ${what}`, async (t) => {
      const bench = aWorkbench(t);
      bench.put('b.efi', PROGRAM);
      const named = args.map((arg) => (arg.startsWith('--') ? arg : join(bench.folder, arg)));
      const { status, error } = await bench.run(['sign', ...named, ...pair(bench), '--quiet']);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', words);
    });
  }

  test('refuses to sign without a key', async (t) => {
    const bench = aWorkbench(t);
    const config = bench.put('espalier.toml', '');
    const { error } = await bench.run(['sign', bench.path('linux'), '--config', config]);
    assert.equal(error?.code, 'CONFIG_INVALID');
    assert.match(error.message, /--certificate and --private-key/);
  });
});
