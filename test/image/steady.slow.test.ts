/** The same bytes whoever builds, wherever and when: each table and file system, as root and not. */
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
import { hasNewerTools, newerTools } from '../lab/newer-tools.ts';
import { attempt } from '../lab/run.ts';
import { installCommand, isRoot, missingTools } from '../lab/tools.ts';

const main = resolve(import.meta.dirname, '../../src/main.ts');
const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath];
const canChange = isRoot() && attempt('setpriv', [...nobody, main, '--version']).status === 0;
const lacking = missingTools(['faketime']);
const skip =
  (!canChange && 'SKIPPED, needs root, and a checkout that others may read') ||
  (lacking.length > 0 && `SKIPPED, missing tools: ${installCommand(lacking)}`);

/** Where programs are looked for; Debian trixie's come first, where they are. */
const PATH = [...(hasNewerTools() ? [newerTools] : []), process.env['PATH'], '/usr/sbin'].join(':');
const find = (program: string) =>
  attempt('sh', ['-c', `command -v ${program}`], { env: { PATH } }).stdout.trim();
const LATER = ['faketime', '--exclude-monotonic', '2031-05-06 07:08:09'];

/** Descriptions, and the program without which there is no such image. */
const CASES: Readonly<Record<string, readonly [program: string, description: string]>> = {
  'efi, with ext4': ['mkfs.ext4', table('efi')],
  'hybrid, with ext4': ['mkfs.ext4', table('hybrid')],
  'legacy, with ext4': ['mkfs.ext4', table('legacy')],
  'legacy+gpt, with ext4': ['mkfs.ext4', table('legacy+gpt')],
  'none, with ext4': ['mkfs.ext4', table('none')],
  'FAT, swap and EROFS behind dm-verity': ['sh', partitions('erofs')],
  squashfs: ['sqfstar', partitions('squashfs')],
  'EROFS that is compressed': ['mkfs.erofs', partitions('erofs', 'compression = "lz4"')],
};

/** A disk for a BIOS without its loader is told: that ends with 5. */
function done(program: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const { status, stderr } = attempt(program, args, { env });
  assert.ok(status === 0 || (status === 5 && /starts under a BIOS/.test(stderr)), stderr);
}

describe('an image is the same as root in Tokyo and as nobody in UTC years later', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-steady-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o777);
  mkdirSync(join(folder, 'later'));
  /** Returns a directory with a program that believes in the later day: it gets few variables of ours. */
  const later = (program: string): string => {
    const directory = join(folder, 'later');
    for (const name of program === 'mkfs.ext4' ? [program, 'debugfs'] : [program]) {
      const words = [...LATER, find(name)].map((word) => `'${word}'`).join(' ');
      writeFileSync(join(directory, name), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
    }
    return directory;
  };
  for (const [what, [program, text]] of Object.entries(CASES)) {
    test(what, {
      skip: skip || (find(program) === '' && `SKIPPED, there is no ${program}`),
    }, () => {
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
        { PATH, TZ: 'Asia/Tokyo', LANG: 'de_DE.UTF-8' },
      );
      const [faketime = '', ...words] = LATER;
      const env = { PATH: `${later(program)}:${PATH}`, TZ: 'UTC' };
      done(
        faketime,
        [...words, 'setpriv', ...nobody, main, ...build, join(folder, 'other.raw')],
        env,
      );
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

function partitions(format: string, more = ''): string {
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
${more}
verity = "data"
match = "usr"
contents = [{ source = "tree", target = "/" }]
[[partition]]
type = "usr-verity"
verity = "hash"
match = "usr"
`;
}
