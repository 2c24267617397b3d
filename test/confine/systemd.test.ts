/** What systemd itself makes of units and drop-ins, beside what we make of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { formatDropIn } from '../../src/confine/drop-in.ts';
import { parseExec } from '../../src/confine/exec-command.ts';
import { readUnit, settingsOf, type Unit } from '../../src/confine/unit.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { dumpUnit, hasTool } from './host.ts';

/** Makes a directory of units that anyone may read. */
function unitDirectory(t: TestContext, files: Readonly<Record<string, string>>): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'espalier-units-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  fs.chmodSync(directory, 0o755);
  const unit = '[Unit]\nDefaultDependencies=no\n';
  for (const [name, text] of Object.entries({ ...files, 'basic.target': unit })) {
    fs.mkdirSync(join(directory, name, '..'), { recursive: true, mode: 0o755 });
    fs.writeFileSync(join(directory, name), text, { mode: 0o644 });
  }
  return directory;
}

const HEAD = '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n';

/** A word as the manager's dump has it. */
function dumped(word: string): string {
  if (word !== '' && !/[\s"\\`$*?['()<>|&;!]/.test(word)) return word;
  return `"${word.replace(/["\\`$]/g, '\\$&').replaceAll('\t', '\\t')}"`;
}

const PIECES = [
  ...['a', 'é', ' ', '\t', '"', "'", ';', ' ; /bin/true ', ' \\; ', '#', '=', '%%'],
  ...[
    '\\\\',
    '\\"',
    "\\'",
    '\\s',
    '\\x41',
    '\\x42c',
    '\\101',
    '\\u00e9',
    '\\q',
    '\\x',
    '\\\n ; x\n',
  ],
];

/** Commands put together from what matters in them, each with a number and an end of its own. */
const VALUES = fc
  .sample(fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }), { numRuns: 300, seed: 7 })
  .map((pieces, index) => `/bin/true ${index} ${pieces.join('')}.`);

/** Writes a service that executes these, and returns how we read it. */
function aUnit(t: TestContext, values: readonly string[]): Unit {
  const text = HEAD + values.map((value) => `ExecStart=${value}\n`).join('');
  return readUnit(nodeDisk(), join(unitDirectory(t, { 'a.service': text }), 'a.service'));
}

function isReadable(value: string): boolean {
  try {
    return parseExec(value).length > 0;
  } catch {
    return false;
  }
}

describe('systemd', () => {
  test('splits commands into the words that we do', (t) => {
    const unit = aUnit(t, settingsOf(aUnit(t, VALUES), 'ExecStart').filter(isReadable));
    const dump = dumpUnit(dirname(unit.file), 'a.service');
    if (dump === undefined) return t.skip('needs the service manager of systemd');
    const got = [...dump.matchAll(/^\t\t\tCommand Line: (.*)$/gm)].map(([, line]) => line);
    const expected = settingsOf(unit, 'ExecStart').flatMap((value) =>
      parseExec(value).map(({ program, parameters }) =>
        [program, ...parameters.map((word) => word.replaceAll('%%', '%'))].map(dumped).join(' '),
      ),
    );
    assert.ok(got.length > 150, `${got.length} commands`);
    assert.deepEqual(got, expected);
  });

  test('refuses the commands that we refuse', (t) => {
    if (dumpUnit(dirname(aUnit(t, ['/bin/true']).file), 'a.service') === undefined) {
      return t.skip('needs the service manager of systemd');
    }
    const unreadable = settingsOf(aUnit(t, VALUES), 'ExecStart').filter(
      (value) => !isReadable(value),
    );
    for (const value of [...unreadable.slice(0, 5), 'bin/true', '-']) {
      const dump = dumpUnit(dirname(aUnit(t, [value]).file), 'a.service');
      assert.equal(dump, undefined, value);
    }
  });

  test('reads from the drop-in the paths that were put into it', (t) => {
    const name = fc.stringMatching(/^[ -~é☃]{1,12}$/).filter((text) => !/[/]|^\.\.?$/.test(text));
    const path = fc
      .array(name, { minLength: 1, maxLength: 3 })
      .map((names) => `/${names.join('/')}`);
    const binds = fc
      .sample(fc.record({ source: path, place: path }), { numRuns: 200, seed: 7 })
      .map((bind, index) => (index % 3 === 0 ? { ...bind, place: bind.source } : bind));
    const directory = unitDirectory(t, { 'a.service': `${HEAD}ExecStart=/bin/true\n` });
    const unit = readUnit(nodeDisk(), join(directory, 'a.service'));
    fs.mkdirSync(join(directory, 'a.service.d'), { mode: 0o755 });
    fs.writeFileSync(unit.ownDropIn, formatDropIn(unit, 'full-apivfs', binds));
    const dump = dumpUnit(directory, 'a.service');
    if (dump === undefined) return t.skip('needs the service manager of systemd');
    const got = [...dump.matchAll(/^\t\tBindReadOnlyPaths: (.*)$/gm)].map(([, line]) => line);
    assert.deepEqual(
      got,
      binds.map(({ source, place }) => `${source}:${place}:rbind`),
    );
    for (const line of [
      'RootDirectory: /var/empty',
      'TemporaryFileSystem: /',
      'MountAPIVFS: yes',
      'PrivateTmp: yes',
      'PrivateDevices: yes',
      'PrivateUsers: yes',
      'ProtectKernelTunables: yes',
      'ProtectKernelModules: yes',
      'ProtectControlGroups: yes',
    ]) {
      assert.ok(dump.includes(`\t\t${line}`), line);
    }
  });

  test('finds nothing to complain of in a unit with its drop-in', (t) => {
    if (!hasTool('systemd-analyze')) return t.skip('needs systemd-analyze');
    const directory = unitDirectory(t, {
      'a.service': '[Unit]\nDescription=A\n[Service]\nExecStart=/bin/sh -c :\n',
    });
    const file = join(directory, 'a.service');
    const unit = readUnit(nodeDisk(), file);
    fs.mkdirSync(join(directory, 'a.service.d'));
    const binds = [{ source: '/usr/bin/a "b" c%d', place: '/bin/sh' }];
    fs.writeFileSync(unit.ownDropIn, formatDropIn(unit, 'chroot-only', binds));
    const ran = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    const about = ran.stderr.split('\n').filter((line) => /a\.service|confinement/.test(line));
    assert.deepEqual(about, []);
  });
});
