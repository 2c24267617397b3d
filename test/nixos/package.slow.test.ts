/** The Nix package: Nix builds it from this tree, with the programs of this machine in the place of nixpkgs'. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { readSettings } from '../../src/settings/settings.ts';
import { unitFiles } from '../../src/units/files.ts';
import { reach } from '../../src/units/reach.ts';
import { bundle } from '../../tools/bundle.ts';
import { once } from '../boot/installed.ts';
import { attempt, run } from '../lab/run.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import {
  espalierIs,
  evaluated,
  LIBRARIES,
  makeWorkplace,
  removeWorkplace,
  skipWithoutNix,
  systemOf,
  tried,
  type Workplace,
} from './an-evaluation.ts';

const root = resolve(import.meta.dirname, '../..');
const lockFile = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

interface Locked {
  readonly version: string;
  readonly integrity: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
}

/** The packages of npm that the package is built with, by their paths in the lock file. */
const NEEDED = Object.entries(lockFile.packages as Readonly<Record<string, Locked>>).filter(
  ([path, { dev, optional, devOptional }]) =>
    path !== '' &&
    (!(dev || optional || devOptional) ||
      /^node_modules\/(esbuild|@esbuild\/linux-x64)$/.test(path)),
);

/** What npm itself fetches here, as it does on a machine of somebody else; the others are put into the store. */
const FETCHED = ['node_modules/commander', 'node_modules/@noble/hashes'];

const npmCache = process.env['npm_config_cache'] ?? join(homedir(), '.npm');

/** Returns the file that npm keeps of a package by its digest. */
function kept({ integrity }: Locked): string {
  const digest = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
  const parts = [digest.slice(0, 2), digest.slice(2, 4), digest.slice(4)];
  return join(npmCache, '_cacache/content-v2/sha512', ...parts);
}

const skip =
  skipWithoutNix ||
  (attempt('npm', ['--version']).status !== 0 && 'SKIPPED, needs npm') ||
  (!NEEDED.every(([, locked]) => existsSync(kept(locked))) &&
    'SKIPPED, needs the packages that npm ci leaves in npm’s cache');

/** The drop-in that NixOS makes of a service's settings: a list has a line for each of its words. */
function asNixosWrites(settings: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(settings).flatMap(([key, value]) =>
    [value].flat().map((word) => `${key}=${word}`),
  );
  return ['[Service]', ...lines, ''].join('\n');
}

/** Returns the paths of the files below a folder. */
function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1))
    .sort();
}

suite('the Nix package', { skip }, () => {
  let workplace: Workplace;
  before(() => {
    const made = makeWorkplace();
    const building = 'sandbox = false\nbuild-users-group =\nsubstitute = false\nmax-jobs = 2\n';
    const environment = { ...made.environment, NIX_CONFIG: building, NPM_CACHE: npmCache };
    workplace = { ...made, environment };
    mkdirSync(join(made.folder, 'nodejs/bin'), { recursive: true });
    symlinkSync(process.execPath, join(made.folder, 'nodejs/bin/node'));
  });
  after(() => removeWorkplace(workplace));

  const configured = (nodeVersion: string) => `{ pkgs, ... }: {
    boot.espalier.package = pkgs.callPackage ${join(root, 'systemd/nixos/package.nix')} {
      systemd = "/systemd";
      nodejs_24 = {
        type = "derivation";
        name = "nodejs";
        outPath = "${workplace.folder}/nodejs";
        version = "${nodeVersion}";
        meta.mainProgram = "node";
      };
    };
  }`;

  const sourceOf = () => evaluated(configured('24.15.0'), 'package.src', workplace) as string;

  /** Has Nix build the package, and returns where it is. */
  const built = once(async () => {
    const { folder, environment: env } = workplace;
    const seeds = NEEDED.filter(([path]) => !FETCHED.includes(path)).map(([path, locked]) => {
      const file = join(folder, `${basename(path)}-${locked.version}.tgz`);
      copyFileSync(kept(locked), file);
      return file;
    });
    run('nix-store', ['--add-fixed', 'sha512', ...seeds], { env });
    const expression = `(import ./evaluate.nix (${configured('24.15.0')})).package`;
    const options = { cwd: import.meta.dirname, env };
    return run('nix-build', ['--no-out-link', '--expr', expression], options).trim();
  });

  test('is the file that every other system gets, to the byte', async () => {
    const program = join(await built(), 'lib/espalier/espalier.mjs');
    const other = await bundle(join(workplace.folder, 'program.mjs'));
    assert.ok(readFileSync(program).equals(readFileSync(other)));
  });

  const git = attempt('git', ['-C', root, 'ls-files']);
  const noCheckout = git.status !== 0 && 'SKIPPED, needs a checkout by git';
  test('is made of the files that git tracks, and of no others', { skip: noCheckout }, async () => {
    await built();
    const files = filesIn(sourceOf());
    const tracked = git.stdout.split('\n');
    assert.deepEqual(
      files.filter((file) => !tracked.includes(file)),
      [],
    );
    assert.ok(files.includes('src/main.ts') && files.includes('systemd/espalier-watch.service'));
    assert.ok(!files.some((file) => file.startsWith('test/') || file.endsWith('.nix')));
  });

  const { checkout = '', skip: noLibrary } = LIBRARIES.at(-1) ?? { skip: true };
  test('is made of the same files by the library of nixpkgs', { skip: noLibrary }, (t) => {
    const real = { ...workplace, environment: { ...workplace.environment, NIXPKGS_LIB: checkout } };
    const { status, stdout, stderr } = tried(configured('24.15.0'), 'package.src', real);
    // Nix 2.14 was the first that tells the type of a file.
    if (/readFileType/.test(stderr)) return t.skip('SKIPPED, needs Nix 2.14');
    assert.equal(status, 0, stderr);
    assert.deepEqual(filesIn(JSON.parse(stdout)), filesIn(sourceOf()));
  });

  test('names no place of a package: npm knows its registry, and the lock file the digest', () => {
    assert.ok(NEEDED.every(([, locked]) => !('resolved' in locked)));
    for (const file of readdirSync(join(root, 'systemd/nixos'))) {
      const text = readFileSync(join(root, 'systemd/nixos', file), 'utf8');
      assert.doesNotMatch(text, /https?:/, file);
    }
  });

  test('has the units that `espalier units` would write with its Node and its file', async () => {
    const out = await built();
    const disk = new MemoryDisk({ files: { '/proc/self/mountinfo': '' } });
    const files = unitFiles({
      node: join(workplace.folder, 'nodejs/bin/node'),
      program: join(out, 'lib/espalier/espalier.mjs'),
      notify: '/systemd/bin/systemd-notify',
      ...reach(await readSettings({}, {}, disk), undefined, disk),
    });
    const units = join(out, 'lib/systemd/system');
    assert.deepEqual(readdirSync(units).sort(), files.map(({ name }) => name).sort());
    for (const { name, text } of files) {
      assert.equal(readFileSync(join(units, name), 'utf8'), text, name);
    }
  });

  const analyze =
    attempt('systemd-analyze', ['--version']).status !== 0 && 'SKIPPED, needs systemd';
  test('has units that systemd-analyze verifies together with what the module adds', {
    skip: analyze,
  }, async () => {
    const units = join(workplace.folder, 'units');
    cpSync(join(await built(), 'lib/systemd/system'), units, { recursive: true });
    const { services } = systemOf(espalierIs('pkiBundle = "/my keys/100%";'), workplace).systemd;
    for (const [name, { serviceConfig }] of Object.entries(services)) {
      mkdirSync(join(units, `${name}.service.d`));
      writeFileSync(join(units, `${name}.service.d/overrides.conf`), asNixosWrites(serviceConfig));
    }
    const files = readdirSync(units).filter((name) => /\.(service|timer)$/.test(name));
    const paths = files.map((name) => join(units, name));
    const { status, stdout, stderr } = attempt('systemd-analyze', ['verify', '--man=no', ...paths]);
    assert.equal(stdout + stderr, '');
    assert.equal(status, 0);
  });

  test('has licences, manual pages, and completions of three shells', async () => {
    const share = join(await built(), 'share');
    assert.match(readFileSync(join(share, 'doc/espalier/LICENSES'), 'utf8'), /Copyright/);
    assert.ok(existsSync(join(share, 'man/man8/espalier-install.8')));
    assert.ok(existsSync(join(share, 'man/man5/espalier.toml.5')));
    for (const file of [
      'bash-completion/completions/espalier.bash',
      'fish/vendor_completions.d/espalier.fish',
      'zsh/site-functions/_espalier',
    ]) {
      assert.match(readFileSync(join(share, file), 'utf8'), /espalier completion words/, file);
    }
  });

  test('runs under both of its names', async () => {
    const bin = join(await built(), 'bin');
    assert.equal(run(join(bin, 'espalier'), ['--version']).trim(), lockFile.version);
    assert.match(
      run(join(bin, 'lzbt-systemd'), ['install', '--help']),
      /--bootcounting-initial-tries/,
    );
  });

  test('is marked as broken where Node is older than the program needs', () => {
    const { engines } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
    const [, floor = ''] = /^\^([\d.]+)/.exec(engines.node) ?? [];
    const isBroken = (nodeVersion: string) =>
      evaluated(configured(nodeVersion), 'package.meta.broken', workplace);
    assert.equal(isBroken(`${floor}.0`), false);
    assert.equal(isBroken('24.14.1'), true);
    assert.equal(floor, '24.15');
  });
});
