/** The hook that NixOS calls: it is run as it is, with something in the place of Espalier. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { aMachine } from '../command/a-machine.ts';
import { attempt } from '../lab/run.ts';
import {
  espalierIs,
  makeWorkplace,
  removeWorkplace,
  skipWithoutNix,
  systemOf,
  type Workplace,
} from './an-evaluation.ts';
import { installs, systemOn } from './on-a-machine.ts';

const TOPLEVEL = '/nix/store/0-nixos-system';

suite('the hook', { skip: skipWithoutNix }, () => {
  let workplace: Workplace;
  before(() => {
    workplace = makeWorkplace();
    mkdirSync(join(workplace.folder, 'bin'));
    // Says what it was given, and ends as it is told to.
    const standIn = '#!/bin/sh\necho "$@"\nexit "$STATUS"\n';
    writeFileSync(join(workplace.folder, 'bin/espalier'), standIn, { mode: 0o755 });
  });
  after(() => removeWorkplace(workplace));

  const systemWith = (settings: string) =>
    systemOf(espalierIs(settings, '', workplace.folder), workplace);
  const call = (hook: string, status: number, environment: Record<string, string> = {}) =>
    attempt('sh', [hook, TOPLEVEL], { env: { STATUS: String(status), ...environment } });

  test('succeeds when the system boots, warnings or not, and hands every other status on', () => {
    const { hook } = systemWith('pkiBundle = "/keys";');
    for (const status of [0, 1, 2, 3, 4, 5, 70]) {
      assert.equal(call(hook, status).status, status === 5 ? 0 : status);
    }
  });

  test('installs the system that it is called with, by the settings of that system', () => {
    const { hook, configFile } = systemWith('pkiBundle = "/keys";');
    assert.equal(call(hook, 0).stdout, `install --config ${configFile} ${TOPLEVEL}\n`);
  });

  test('replaces a newer boot loader only when it is to be installed anew', () => {
    const { hook, configFile } = systemWith('pkiBundle = "/keys";');
    const said = (value: string) => call(hook, 0, { NIXOS_INSTALL_BOOTLOADER: value }).stdout;
    assert.equal(said('1'), `install --config ${configFile} --force ${TOPLEVEL}\n`);
    assert.equal(said('0'), `install --config ${configFile} ${TOPLEVEL}\n`);
  });

  test('signs as soon as there are keys, where it may install without', () => {
    const keys = join(workplace.folder, "it's a key");
    const { hook, configFile } = systemWith(`pkiBundle = "${keys}"; allowUnsigned = true;`);
    const chosen = () => call(hook, 0).stdout.split(' ')[2] ?? '';
    const unsigned = readFileSync(chosen(), 'utf8');
    assert.match(unsigned, /^allow-unsigned = true$/m);
    assert.doesNotMatch(unsigned, /private-key/);
    mkdirSync(join(keys, 'keys/db'), { recursive: true });
    writeFileSync(join(keys, 'keys/db/db.key'), '');
    assert.equal(chosen(), configFile);
    assert.match(readFileSync(configFile, 'utf8'), /^private-key = /m);
  });

  test('runs what is to follow only after an installation, up to the first that fails', () => {
    const commands = String.raw`echo "then $1"\nsh -c 'exit 9'\necho never`;
    const { hook } = systemWith(
      `pkiBundle = "/keys"; extraInstallCommands = "${commands.replaceAll('"', String.raw`\"`)}";`,
    );
    for (const status of [0, 5]) {
      const done = call(hook, status);
      assert.equal(done.status, 9);
      assert.match(done.stdout, new RegExp(`\nthen ${TOPLEVEL}\n$`));
      assert.match(done.stderr, /^espalier: the boot entries are installed; what was to follow/);
    }
    const failed = call(hook, 4);
    assert.equal(failed.status, 4);
    assert.doesNotMatch(failed.stdout, /then/);
  });

  test('installs a system with Espalier itself', (t) => {
    const machine = aMachine(t, { generations: [{}, {}, {}] });
    const settings = 'configurationLimit = 2; settings.timeout = 7;';
    const { hook } = systemOn(machine, settings, '', workplace);
    const { status, stderr } = installs(machine, hook, 2);
    assert.equal(status, 0, stderr);
    assert.deepEqual(machine.installed(), [2, 3]);
    assert.equal(machine.next(), 2);
    assert.match(machine.read('loader/loader.conf'), /^timeout 7$/m);
  });

  const shellcheck =
    attempt('shellcheck', ['--version']).status !== 0 && 'SKIPPED, needs Debian’s shellcheck';
  test('is clean shell, with and without each of its parts', { skip: shellcheck }, () => {
    for (const settings of [
      'pkiBundle = "/keys";',
      'pkiBundle = "/keys"; allowUnsigned = true; extraInstallCommands = "true";',
    ]) {
      const { stdout, stderr } = attempt('shellcheck', [systemWith(settings).hook]);
      assert.equal(stdout + stderr, '');
    }
  });
});
