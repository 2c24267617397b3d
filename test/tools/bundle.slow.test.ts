/** The one file that is shipped does what the sources do, and is what one reads. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bundle, bundleLauncher, writeLicenses } from '../../tools/bundle.ts';
import { aMachine, type Machine } from '../command/a-machine.ts';

const repository = resolve(import.meta.dirname, '../..');

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
  for (const [name, make] of Object.entries({ program: bundle, launcher: aLauncher })) {
    test(`the ${name} tells Node ${version} which one it needs, in one line`, async () => {
      const told = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } }); delete process.getBuiltinModule;`;
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ['--import', `data:text/javascript,${encodeURIComponent(told)}`, await make(), 'status'],
        { encoding: 'utf8' },
      );
      assert.equal(status, 2, stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /^espalier: expected Node 24\.15 or newer, got \S+ .*nodejs\.org.*\n$/);
    });
  }
}

async function aLauncher(): Promise<string> {
  return bundleLauncher(await bundle());
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

test('the licence of every package in the bundle is beside it, with its copyright', async (t) => {
  const machine = aMachine(t);
  const text = readFileSync(writeLicenses(join(machine.root, 'espalier.mjs')), 'utf8');
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const direct = Object.entries(dependencies).map(([name, version]) => `${name} ${version} (`);
  // What those depend on is in the bundle as well.
  for (const package_ of [...direct, 'sonic-boom ', 'readdirp ']) {
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
  assert.ok(loaded.includes('process'), String(loaded));
  assert.deepEqual(
    loaded.filter((module) => DEAR.includes(module)),
    [],
  );
});

/** Has a process say when it makes what divides text: at the first time, ICU loads its tables for that. */
const TELL_SEGMENTER = `data:text/javascript,${encodeURIComponent(
  `Intl.Segmenter = class extends Intl.Segmenter {
    constructor(...given) { super(...given); console.error('Intl.Segmenter'); }
  };`,
)}`;

test('the bundle measures text for columns only where it prints a table', async (t) => {
  const file = await bundle();
  const machine = aMachine(t);
  const args = [...machine.arguments(), '--allow-unsigned', '--format', 'type1'];
  const told = (verb: string) =>
    ship(machine, '--import', TELL_SEGMENTER, file, verb, ...args).stderr;
  assert.doesNotMatch(told('install'), /Segmenter/);
  assert.doesNotMatch(told('plan'), /Segmenter/);
  assert.match(
    ship(machine, '--import', TELL_SEGMENTER, file, 'list', '--esp', machine.esp).stderr,
    /Segmenter/,
  );
});

/** A copy of the tree that makes the program, with the packages of this one, in a folder of its own. */
function aTree(t: TestContext): string {
  const tree = mkdtempSync(join(tmpdir(), 'espalier-tree-'));
  t.after(() => rmSync(tree, { recursive: true }));
  for (const part of ['src', 'tools', 'package.json', 'package-lock.json']) {
    cpSync(join(repository, part), join(tree, part), { recursive: true });
  }
  symlinkSync(join(repository, 'node_modules'), join(tree, 'node_modules'));
  return tree;
}

/** Builds the program of a tree and returns its file. */
function build(tree: string): string {
  const { status, stderr } = spawnSync(process.execPath, [join(tree, 'tools/build.ts')], {
    encoding: 'utf8',
    cwd: tree,
  });
  assert.equal(status, 0, stderr);
  return join(tree, 'dist/espalier.mjs');
}

test('two builds of one tree are the same to the byte, wherever the tree lies', async (t) => {
  const here = readFileSync(await bundle(join(aMachine(t).root, 'espalier.mjs')));
  const tree = aTree(t);
  const there = readFileSync(build(tree));
  assert.ok(here.equals(there));
  assert.ok(there.equals(readFileSync(build(tree))));
});

test('a change in the text of the bundle changes what runs', async (t) => {
  const file = await bundle(join(aMachine(t).root, 'espalier.mjs'));
  const version = () => spawnSync(process.execPath, [file, '--version'], { encoding: 'utf8' });
  assert.equal(version().stdout, '0.1.0\n');
  const text = readFileSync(file, 'utf8');
  assert.equal(text.split('"0.1.0"').length, 2, 'the version is there once');
  writeFileSync(file, text.replace('"0.1.0"', '"0.1.0-mine"'));
  assert.equal(version().stdout, '0.1.0-mine\n');
});

/** What would be a second program inside the file, or would stand between the program and Node. */
const NOT_PLAIN = [
  /\bnew Proxy\(/,
  /\bnew Function\(/,
  /\beval\(/,
  /\bcachedData\b/,
  /node:vm\b/,
  /[A-Za-z0-9+/]{4096}/,
];

test('the bundle is text that a person can read, and nothing in it is text to be run', async () => {
  const lines = readFileSync(await bundle(), 'utf8').split('\n');
  for (const pattern of NOT_PLAIN) {
    assert.deepEqual(
      lines.filter((line) => pattern.test(line)),
      [],
    );
  }
  assert.ok(lines.includes('// src/plan/plan.ts'), 'every file stands under its name');
});

test('the launcher starts the program from Node’s compile cache, and never from an older text', async (t) => {
  const machine = aMachine(t);
  const file = await bundle(join(machine.root, 'program/espalier.mjs'));
  const launcher = await bundleLauncher(file);
  const cache = join(machine.root, 'cache');
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const start = (...args: readonly string[]) =>
    spawnSync(process.execPath, [launcher, ...args], {
      encoding: 'utf8',
      env: { ESPALIER_CACHE_DIR: cache, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' },
    });
  const accepted = /code cache for ESM .*espalier\.mjs was accepted/;
  const first = start('--version');
  assert.match(first.stdout, /^0\.1\.0$/m);
  assert.doesNotMatch(first.stdout + first.stderr, accepted);
  const second = start('--version');
  assert.match(second.stdout, /^0\.1\.0$/m);
  assert.match(second.stdout + second.stderr, accepted);
  writeFileSync(file, readFileSync(file, 'utf8').replace('"0.1.0"', '"0.2.0"'));
  assert.match(start('--version').stdout, /^0\.2\.0$/m);
});
