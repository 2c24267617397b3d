/** The one file that is shipped does what the sources do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundle, writeLicenses } from '../build.ts';
import { aMachine, type Machine } from './a-machine.ts';

/** Gives every file the age of those in a store: what changed a moment ago is not remembered. */
function makeOld(root: string): void {
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) utimesSync(join(entry.parentPath, entry.name), 1, 1);
  }
}

function ship(machine: Machine, file: string, ...args: readonly string[]) {
  return spawnSync(process.execPath, [file, ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...machine.environment() },
  });
}

test('the bundle installs, remembers digests, and has nothing to do the second time', async (t) => {
  const file = await bundle();
  const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
  makeOld(machine.root);
  const args = ['install', ...machine.arguments(), '--allow-unsigned'];
  const first = ship(machine, file, ...args);
  assert.equal(first.status, 0, first.stderr);
  assert.ok(existsSync(join(machine.root, 'cache/digests.json')));
  const second = ship(machine, file, ...args);
  assert.match(second.stdout, /nothing to do/);
  assert.equal(second.stderr, '');
});

test('the bundle signs, and reads a configuration file', async (t) => {
  const file = await bundle();
  const machine = aMachine(t);
  const { status, stdout, stderr } = ship(
    machine,
    file,
    ...['install', ...machine.arguments(), '--allow-insecure-key', '--format', 'type1'],
    ...['--certificate', 'fixtures/keys/db.pem', '--private-key', 'fixtures/keys/db.key'],
  );
  assert.equal(status, 0, `${stdout}${stderr}`);
});

test('the bundle tells a mistake from a bug', async () => {
  const file = await bundle();
  const { status, stderr } = spawnSync(process.execPath, [file, 'install', '--limit', 'many'], {
    encoding: 'utf8',
  });
  assert.equal(status, 2);
  assert.match(stderr, /^espalier: --limit: .*\[CONFIG_INVALID\]\n {2}hint: /);
});

for (const version of ['18.19.1', '20.20.2', '22.21.0', '24.14.9']) {
  test(`the bundle tells Node ${version} which one it needs, in one line`, async () => {
    const file = await bundle();
    const told = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } }); delete process.getBuiltinModule;`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(told)}`, file, 'status'],
      { encoding: 'utf8' },
    );
    assert.equal(status, 2, stderr);
    assert.equal(stdout, '');
    assert.match(stderr, /^espalier: expected Node 24\.15 or newer, got \S+ .*nodejs\.org.*\n$/);
  });
}

test('an older Node that is here says the same', async (t) => {
  const old = ['/usr/bin/node', '/usr/bin/nodejs'].find((path) => isOlder(path));
  if (old === undefined) return t.skip('SKIPPED, needs a Node before 24.15 in /usr/bin');
  const { status, stderr } = spawnSync(old, [await bundle(), '--version'], { encoding: 'utf8' });
  assert.equal(status, 2, stderr);
  assert.match(stderr, /^espalier: expected Node 24\.15 or newer, got .*\n$/);
});

function isOlder(path: string): boolean {
  const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 && Number(/^v(\d+)/.exec(stdout)?.[1]) < 24;
}

/** Has a process say of every script whether V8 refused what it was given as its code cache. */
const TELL_REFUSALS = `data:text/javascript,${encodeURIComponent(`
  import vm from 'node:vm';
  const { Script } = vm;
  vm.Script = class extends Script {
    constructor(...parameters) {
      super(...parameters);
      console.error('refused:', this.cachedDataRejected);
    }
  };`)}`;

test('the bundle starts from its code cache, and without it where V8’s flags are others', async () => {
  const file = await bundle();
  const version = (...flags: readonly string[]) =>
    spawnSync(process.execPath, [...flags, '--import', TELL_REFUSALS, file, '--version'], {
      encoding: 'utf8',
    });
  const { stdout, stderr } = version();
  assert.equal(stderr, 'refused: false\n');
  const confined = version('--jitless');
  assert.equal(confined.stderr, 'refused: true\n');
  assert.equal(confined.stdout, stdout);
});

test('the licence of every package in the bundle is beside it, with its copyright', async (t) => {
  const machine = aMachine(t);
  const text = readFileSync(writeLicenses(join(machine.root, 'espalier.mjs')), 'utf8');
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const direct = Object.entries(dependencies).map(([name, version]) => `${name} ${version} (`);
  // What those depend on is in the bundle as well.
  for (const package_ of [...direct, '@peculiar/utils ', 'sonic-boom ', 'readdirp ']) {
    assert.ok(text.includes(`\n${package_}`), package_);
  }
  for (const package_ of text.split(/^-{80}$/m)) {
    assert.match(package_, /copyright|\(c\)/i);
    assert.match(package_, /permission|redistribut/i);
  }
});

/** Has a process say at its end which of Node's own modules it has loaded. */
const TELL_MODULES = `data:text/javascript,${encodeURIComponent(
  `process.on('exit', () => console.error(process.moduleLoadList.join('\\n')));`,
)}`;

/** Each takes longer to load than a run with nothing to do may spend on one thing. */
const DEAR = ['child_process', 'crypto', 'sqlite', 'stream', 'v8', 'worker_threads', 'zlib'];

test('the bundle loads nothing of Node’s for which a run with nothing to do has no use', async (t) => {
  const file = await bundle();
  const machine = aMachine(t);
  const args = ['install', ...machine.arguments(), '--allow-unsigned', '--format', 'type1'];
  makeOld(machine.root);
  assert.equal(ship(machine, file, ...args).status, 0);
  const told = (...parameters: readonly string[]) => {
    const { stderr } = ship(machine, '--import', TELL_MODULES, ...parameters);
    return stderr.split('\n').map((line) => line.replace('NativeModule ', ''));
  };
  const empty = join(machine.root, 'empty.mjs');
  writeFileSync(empty, '');
  // What Node loads to say so is no matter of ours.
  const without = new Set(told(empty));
  const loaded = told(file, ...args).filter((module) => !without.has(module));
  assert.ok(loaded.includes('vm'), String(loaded));
  assert.deepEqual(
    loaded.filter((module) => DEAR.includes(module)),
    [],
  );
});
