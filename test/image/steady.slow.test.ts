/** The same bytes whoever builds, wherever: each table and file system, as root and not. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, describe, test } from 'node:test';
import { attempt } from '../lab/run.ts';
import { isRoot } from '../lab/tools.ts';

const main = resolve(import.meta.dirname, '../../src/main.ts');
const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
const canChange = isRoot() && attempt('setpriv', [...nobody, main, '--version']).status === 0;
const skip = !canChange && 'SKIPPED, needs root, and a checkout that others may read';
const has = (program: string) => attempt('sh', ['-c', `command -v ${program}`]).status === 0;

/** Descriptions, and the program without which there is no such image. */
const CASES: Readonly<Record<string, readonly [program: string, description: string]>> = {
  'efi, with ext4': ['mkfs.ext4', table('efi')],
  'hybrid, with ext4': ['mkfs.ext4', table('hybrid')],
  'legacy, with ext4': ['mkfs.ext4', table('legacy')],
  'legacy+gpt, with ext4': ['mkfs.ext4', table('legacy+gpt')],
  'none, with ext4': ['mkfs.ext4', table('none')],
  'FAT, swap and EROFS behind dm-verity': ['sh', partitions('erofs')],
  squashfs: ['mksquashfs', partitions('squashfs')],
};

/** A disk for a BIOS without its loader is told: that ends with 5. */
function done(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const { status, stderr } = attempt(program, args, { env });
  assert.ok(status === 0 || (status === 5 && /starts under a BIOS/.test(stderr)), stderr);
}

describe('an image is the same as root in Tokyo and as nobody in UTC', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-steady-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o777);
  for (const [what, [program, text]] of Object.entries(CASES)) {
    test(what, { skip: skip || (!has(program) && `SKIPPED, there is no ${program}`) }, () => {
      mkdirSync(join(folder, 'tree/below'), { recursive: true });
      for (const [index, name] of ['b', 'a', 'below/c'].entries()) {
        writeFileSync(join(folder, 'tree', name), name.repeat(5000 * index + 1));
        utimesSync(join(folder, 'tree', name), 1000 + index, 2000 + index);
      }
      writeFileSync(join(folder, 'image.toml'), text);
      const build = ['image', 'build', join(folder, 'image.toml'), '--force', '--output'];
      done(
        'sh',
        [
          '-c',
          'umask 077; exec "$@"',
          'sh',
          process.execPath,
          main,
          ...build,
          join(folder, 'one.raw'),
        ],
        { TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8' },
      );
      done('setpriv', [...nobody, main, ...build, join(folder, 'other.raw')], { TZ: 'UTC' });
      const [one, other] = ['one.raw', 'other.raw'].map((name) => readFileSync(join(folder, name)));
      assert.ok(one?.equals(other ?? one.subarray(1)));
      rmSync(join(folder, 'one.raw'));
      rmSync(join(folder, 'other.raw'));
    });
  }
});

function table(name: string): string {
  const hasEsp = name === 'efi' || name === 'hybrid';
  return `
table = "${name}"
${hasEsp ? 'boot-size = "44MiB"' : ''}
additional-space = "4MiB"
[root]
contents = [{ source = "tree", target = "/data" }]
${hasEsp ? '[esp]\ncontents = [{ source = "tree", target = "/" }]' : ''}
`;
}

function partitions(format: string): string {
  return `
[[partition]]
type = "esp"
size = "34MiB"
contents = [{ source = "tree", target = "/" }]
[[partition]]
type = "swap"
size = "1MiB"
[[partition]]
type = "usr"
format = "${format}"
verity = "data"
match = "usr"
contents = [{ source = "tree", target = "/" }]
[[partition]]
type = "usr-verity"
verity = "hash"
match = "usr"
`;
}
