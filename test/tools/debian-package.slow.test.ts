/** The Debian package is installed, upgraded and purged in a Debian of its own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { debianPackage } from '../../tools/debian-package.ts';
import { executable } from '../../tools/executable.ts';
import { findDpkgRoot } from '../lab/dpkg-root.ts';
import { isRoot } from '../lab/tools.ts';

const system = findDpkgRoot();
const skip =
  system === undefined || !isRoot() ? 'SKIPPED, needs root and packages of Debian' : false;

describe('the Debian package', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-deb-'));
  const root = join(folder, 'root');
  after(() => rmSync(folder, { recursive: true }));

  /** Runs a program inside. */
  function inside(...command: readonly string[]) {
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', DPKG_MAINTSCRIPT_DEBUG: '0' };
    const { status, stdout, stderr } = spawnSync('chroot', [root, ...command], {
      encoding: 'utf8',
      env,
    });
    return { status, text: `${stdout}${stderr}` };
  }

  function dpkg(...args: readonly string[]): void {
    // The libraries lie there unpacked: dpkg has no word of them.
    const { status, text } = inside('dpkg', '--force-depends', '--force-bad-path', ...args);
    assert.equal(status, 0, text);
  }

  before(async () => {
    cpSync(system ?? '', root, { recursive: true, verbatimSymlinks: true });
    const program = await executable('x64', join(folder, 'espalier'));
    for (const version of ['0.1.0', '0.2.0']) {
      const output = join(root, `espalier_${version}.deb`);
      await debianPackage({ architecture: 'x64', program, version, output, compression: 'none' });
    }
    rmSync(program);
  });

  test('is installed, and the program runs', () => {
    dpkg('--install', '/espalier_0.1.0.deb');
    const { status, text } = inside('espalier', '--version', '--json');
    assert.equal(status, 0, text);
    assert.equal(JSON.parse(text).build, 'executable');
  });

  test('enables no service', () => {
    assert.ok(existsSync(join(root, 'usr/lib/systemd/system/espalier-watch.service')));
    const wanted = spawnSync('find', [root, '-path', '*.wants/*espalier*'], { encoding: 'utf8' });
    assert.equal(wanted.stdout, '');
  });

  test('is upgraded; settings and what was learnt stay', () => {
    mkdirSync(join(root, 'etc'), { recursive: true });
    writeFileSync(join(root, 'etc/espalier.toml'), 'limit = 3\n');
    mkdirSync(join(root, 'var/cache/espalier'), { recursive: true });
    writeFileSync(join(root, 'var/cache/espalier/digests.json'), '{}');
    dpkg('--install', '/espalier_0.2.0.deb');
    assert.match(inside('dpkg-query', '-W', 'espalier').text, /0\.2\.0/);
    assert.equal(readFileSync(join(root, 'etc/espalier.toml'), 'utf8'), 'limit = 3\n');
    assert.ok(existsSync(join(root, 'var/cache/espalier/digests.json')));
  });

  test('is removed, and its hooks, which stay, fail no package of a kernel', () => {
    const hook = '/etc/kernel/postinst.d/zz-espalier';
    dpkg('--remove', 'espalier');
    assert.ok(existsSync(join(root, hook)));
    const { status, text } = inside(hook, '6.1.0-9-amd64', '/boot/vmlinuz-6.1.0-9-amd64');
    assert.deepEqual({ status, text }, { status: 0, text: '' });
    dpkg('--install', '/espalier_0.2.0.deb');
  });

  test('is purged with all its files; the settings of a person stay', () => {
    const files = inside('dpkg-query', '-L', 'espalier')
      .text.split('\n')
      .filter((path) => /espalier/.test(path));
    assert.ok(files.length > 40);
    dpkg('--purge', 'espalier');
    for (const path of files) assert.ok(!existsSync(join(root, path)), path);
    assert.ok(!existsSync(join(root, 'var/cache/espalier')));
    assert.ok(existsSync(join(root, 'etc/espalier.toml')));
  });

  test('the same files give the same package', async () => {
    const program = join(folder, 'program');
    writeFileSync(program, 'as small as it gets');
    const made = async (name: string) => {
      const output = join(folder, name);
      await debianPackage({ architecture: 'arm64', program, version: '1', output });
      return readFileSync(output);
    };
    const umask = process.umask(0o077);
    const first = await made('first.deb');
    process.umask(umask);
    assert.ok(first.equals(await made('second.deb')));
  });
});
