/** The Nix package: what its installation leaves behind, carried out with real tools but those of nixpkgs. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { readSettings } from '../../src/settings/settings.ts';
import { unitFiles } from '../../src/units/files.ts';
import { reach } from '../../src/units/reach.ts';
import { bundle, writeLicenses } from '../../tools/bundle.ts';
import { once } from '../boot/installed.ts';
import { attempt, run } from '../lab/run.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import {
  espalierIs,
  evaluated,
  makeWorkplace,
  removeWorkplace,
  skipWithoutNix,
  systemOf,
  tried,
  type Workplace,
} from './an-evaluation.ts';

const root = resolve(import.meta.dirname, '../..');
const nixFile = join(root, 'systemd/nixos/package.nix');

/** The functions of nixpkgs' shell that the installation calls. */
const STDENV = `
set -eu
runHook() { :; }
makeWrapper() { # program, wrapper, --add-flags, flags
  mkdir -p "$(dirname "$2")"
  printf '#!/bin/sh\\nexec %s %s "$@"\\n' "$1" "$4" > "$2"
  chmod +x "$2"
}
substituteInPlace() {
  file=$1; shift
  while [ $# -gt 0 ]; do
    test "$1" = --replace-fail
    grep -qF -- "$2" "$file"
    sed -i "s|$2|$3|g" "$file"
    shift 3
  done
}
`;

/** What the package is, where its file, Node and systemd are those of a workplace. */
interface Package {
  readonly version: string;
  readonly installPhase: string;
  readonly src: string;
  readonly meta: { readonly broken: boolean; readonly mainProgram: string };
}

/** The drop-in that NixOS makes of a service's settings: a list has a line for each of its words. */
function asNixosWrites(settings: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(settings).flatMap(([key, value]) =>
    [value].flat().map((word) => `${key}=${word}`),
  );
  return ['[Service]', ...lines, ''].join('\n');
}

suite('the Nix package', { skip: skipWithoutNix }, () => {
  let workplace: Workplace;
  before(() => {
    workplace = makeWorkplace();
  });
  after(() => removeWorkplace(workplace));

  const configured = (nodeVersion: string) => `{ pkgs, ... }: {
    boot.espalier.package = pkgs.callPackage ${nixFile} {
      bundle = ${workplace.folder}/program.mjs;
      systemd = "/systemd";
      nodejs_24 = {
        outPath = "${workplace.folder}/nodejs";
        version = "${nodeVersion}";
        meta.mainProgram = "node";
      };
    };
  }`;
  const packageWith = (nodeVersion: string) =>
    evaluated(configured(nodeVersion), 'package', workplace) as Package;

  /** Installs the package as nixpkgs would, and returns where. */
  const installed = once(async () => {
    const out = join(workplace.folder, 'out');
    mkdirSync(join(workplace.folder, 'nodejs/bin'), { recursive: true });
    symlinkSync(process.execPath, join(workplace.folder, 'nodejs/bin/node'));
    writeLicenses(await bundle(join(workplace.folder, 'program.mjs')));
    const { installPhase, src } = packageWith('24.15.0');
    run('bash', ['-c', STDENV + installPhase], { cwd: src, env: { out } });
    return out;
  });

  test('has the units that `espalier units` would write with its Node and its file', async () => {
    const out = await installed();
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
    cpSync(join(await installed(), 'lib/systemd/system'), units, { recursive: true });
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

  test('has the licences of the packages that are in the program', async () => {
    const licenses = join(await installed(), 'share/doc/espalier/LICENSES');
    assert.match(readFileSync(licenses, 'utf8'), /Copyright/);
  });

  test('runs under both of its names', async () => {
    const bin = join(await installed(), 'bin');
    const { version, meta } = packageWith('24.15.0');
    assert.equal(run(join(bin, meta.mainProgram), ['--version']).trim(), version);
    assert.match(
      run(join(bin, 'lzbt-systemd'), ['install', '--help']),
      /--bootcounting-initial-tries/,
    );
  });

  test('is marked as broken where Node is older than the program needs', async () => {
    await installed();
    const { engines } = JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8'));
    const [, floor = ''] = /^\^([\d.]+)/.exec(engines.node) ?? [];
    assert.equal(packageWith(`${floor}.0`).meta.broken, false);
    assert.equal(packageWith('24.14.1').meta.broken, true);
    assert.equal(floor, '24.15');
  });

  test('says how to make the program where it is not there', () => {
    const without = `{ pkgs, ... }: {
      boot.espalier.package = pkgs.callPackage ${nixFile} { bundle = /none/espalier.mjs; };
    }`;
    assert.match(tried(without, 'package', workplace).stderr, /make it with npm run build/);
  });
});
