/** Programs of the running system that `install` keeps signed beside the ESP. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, type Machine } from './a-machine.ts';

const missing = missingTools(['openssl', 'sbsigntool', 'xxd']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

const aProgram = (size: number): Uint8Array =>
  aPe({ sections: [{ name: '.text', bytes: countingBytes(size) }] });

/** A machine with the program of fwupd, and settings that name it. */
class Updating {
  readonly machine: Machine;
  readonly program: string;
  readonly signed: string;
  readonly key: string;

  constructor(t: TestContext) {
    this.machine = aMachine(t);
    const at = (name: string) => join(this.machine.root, name);
    fs.mkdirSync(at('fwupd'));
    [this.program, this.signed] = [at('fwupd/fwupdx64.efi'), at('fwupd/fwupdx64.efi.signed')];
    fs.writeFileSync(this.program, aProgram(900));
    this.key = at('db.key');
    fs.writeFileSync(this.key, privateKeyPem, { mode: 0o600 });
    this.names({ [this.program]: this.signed });
  }

  /** Writes the settings anew. */
  names(table: Readonly<Record<string, string>>): void {
    const rows = Object.entries(table).map((row) => row.map((path) => JSON.stringify(path)));
    const lines = ['[extra-sign]', ...rows.map((row) => row.join(' = ')), ''];
    fs.writeFileSync(join(this.machine.root, 'espalier.toml'), lines.join('\n'));
  }

  run(verb: string, ...more: readonly string[]) {
    const config = ['--config', join(this.machine.root, 'espalier.toml'), '--quiet'];
    const args = [...this.machine.arguments(), '--certificate', certificatePath, ...config];
    return this.machine.runWith({}, verb, ...args, ...more);
  }

  install(...more: readonly string[]) {
    return this.run('install', '--private-key', this.key, ...more);
  }

  verify(): void {
    run('sbverify', ['--cert', certificatePath, this.signed]);
  }
}

describe('[extra-sign]', () => {
  test('keeps a program signed, and leaves the program itself as it is', { skip }, async (t) => {
    const updating = new Updating(t);
    const { status, output } = await updating.install();
    assert.equal(status, 0);
    assert.match(output, /fwupdx64\.efi\.signed: signed$/);
    updating.verify();
    assert.deepEqual(Uint8Array.from(fs.readFileSync(updating.program)), aProgram(900));
    const before = fs.statSync(updating.signed).ino;
    assert.doesNotMatch((await updating.install()).output, /signed/);
    assert.equal(fs.statSync(updating.signed).ino, before, 'a second run has nothing to do');
  });

  test('signs a program anew that was updated', { skip }, async (t) => {
    const updating = new Updating(t);
    await updating.install();
    fs.writeFileSync(updating.program, aProgram(1200));
    const { output } = await updating.install('--json');
    assert.deepEqual((JSON.parse(output) as { signed: string[] }).signed, [updating.signed]);
    updating.verify();
    assert.ok(fs.statSync(updating.signed).size > aProgram(1200).length);
  });

  const failures: readonly (readonly [string, (root: string) => [string, string], RegExp])[] = [
    [
      'a program that is not there',
      (root) => [join(root, 'none.efi'), join(root, 'a')],
      /none\.efi: expected a file/,
    ],
    [
      'a file that is no program',
      (root) => [join(root, 'espalier.toml'), join(root, 'a')],
      /espalier\.toml/,
    ],
    [
      'a place that is not there',
      (root) => [join(root, 'fwupd/fwupdx64.efi'), join(root, 'none/a')],
      /none is no directory/,
    ],
  ];
  for (const [what, row, words] of failures) {
    test(`${what} is a warning, and everything else is installed`, async (t) => {
      const updating = new Updating(t);
      updating.names(Object.fromEntries([row(updating.machine.root)]));
      const { status, output } = await updating.install('--json');
      assert.equal(status, 5);
      assert.match((JSON.parse(output) as { warnings: string[] }).warnings.join(), words);
      assert.deepEqual(updating.machine.installed(), [1]);
    });
  }

  test('a run that is refused signs nothing', async (t) => {
    const updating = new Updating(t);
    const { status } = await updating.install('--reserve', '999G');
    assert.equal(status, 4);
    assert.ok(!fs.existsSync(updating.signed));
  });

  test('nothing is signed without a key, and nothing said', async (t) => {
    const updating = new Updating(t);
    const config = ['--config', join(updating.machine.root, 'espalier.toml')];
    const { status } = await updating.machine.run('install', ...config);
    assert.equal(status, 0);
    assert.ok(!fs.existsSync(updating.signed));
  });

  test('a key that is elsewhere is asked once, for entries and programs', { skip }, async (t) => {
    const updating = new Updating(t);
    const { root } = updating.machine;
    const openssl = `openssl pkeyutl -sign -pkeyopt digest:sha256 -inkey ${updating.key}`;
    const loop = `while read -r d; do printf %s "$d" | xxd -r -p | ${openssl} | base64 -w 0; echo; done`;
    const script = `#!/bin/sh\necho run >> ${root}/log\n${loop}\n`;
    fs.writeFileSync(join(root, 'token'), script, { mode: 0o755 });
    const command = ['--signing-command', join(root, 'token'), '--signing-batch'];
    assert.equal((await updating.run('install', ...command)).status, 0);
    assert.equal(fs.readFileSync(join(root, 'log'), 'utf8'), 'run\n');
    updating.verify();
  });

  test('a machine without a key asks for programs, too', { skip }, async (t) => {
    const updating = new Updating(t);
    const at = (name: string) => join(updating.machine.root, name);
    await updating.run('plan', '--signing-request', at('request.json'));
    const pair = ['--certificate', certificatePath, '--private-key', updating.key];
    const files = ['--request', at('request.json'), '--output', at('signatures.json')];
    await updating.machine.runWith({}, 'sign', ...pair, ...files);
    assert.equal((await updating.run('install', '--signatures', at('signatures.json'))).status, 0);
    updating.verify();
  });

  test('a relative path is a mistake', async (t) => {
    const updating = new Updating(t);
    updating.names({ 'a.efi': '/b.efi' });
    const { status, error } = await updating.install();
    assert.equal(status, 2);
    assert.match(error?.message ?? '', /extra-sign.*expected an absolute path/);
  });
});
