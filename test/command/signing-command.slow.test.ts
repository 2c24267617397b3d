/** A key that is elsewhere signs whatever a key in a file signs, and is asked for nothing else. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, type Machine } from './a-machine.ts';

const missing = missingTools(['openssl', 'sbsigntool', 'xxd']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

/** A machine with a command that signs and counts. */
class Token {
  readonly machine: Machine;
  readonly key: string;
  readonly command: string;
  readonly #log: string;
  readonly #each: string;

  constructor(t: TestContext) {
    this.machine = aMachine(t, { generations: [{}, {}] });
    const at = (name: string) => join(this.machine.root, name);
    this.machine.asInStore();
    [this.key, this.command, this.#log] = [at('db.key'), at('token'), at('log')];
    fs.writeFileSync(this.key, privateKeyPem, { mode: 0o600 });
    const openssl = `openssl pkeyutl -sign -pkeyopt digest:sha256 -inkey ${this.key}`;
    this.#becomes(`exec ${openssl}`);
    this.#each = `xxd -r -p | ${openssl} | base64 -w 0`;
  }

  /** Makes the command one that signs line by line, and then does something else to its lines. */
  takesBatches(afterwards = 'cat'): void {
    const loop = `while read -r digest; do printf %s "$digest" | ${this.#each}; echo; done`;
    this.#becomes(`${loop} | ${afterwards}`);
  }

  #becomes(script: string): void {
    const text = `#!/bin/sh\necho "$@" >> ${this.#log}\n${script}\n`;
    fs.writeFileSync(this.command, text, { mode: 0o755 });
  }

  /** The arguments of every run of the command since the last look. */
  runs(): string[] {
    const lines = fs.existsSync(this.#log) ? fs.readFileSync(this.#log, 'utf8').split('\n') : [];
    fs.rmSync(this.#log, { force: true });
    return lines.slice(0, -1);
  }

  install(format: string, ...key: readonly string[]) {
    const signing = ['--certificate', certificatePath, '--sign-kernels', ...key];
    const args = ['--format', format, '--quiet', ...signing];
    return this.machine.runWith({}, 'install', ...this.machine.arguments(), ...args);
  }
}

describe('--signing-command', () => {
  for (const format of ['uki', 'type1']) {
    test(`installs ${format} as the key itself does, and asks for nothing when nothing changes`, {
      skip,
    }, async (t) => {
      const token = new Token(t);
      const command = ['--signing-command', `${token.command}  --slot 9c`];
      assert.equal((await token.install(format, ...command)).status, 0);
      const runs = token.runs();
      assert.ok(runs.length > 1);
      assert.deepEqual([...new Set(runs)], ['--slot 9c']);
      const ours = token.machine.tree();
      assert.equal((await token.install(format, ...command)).status, 0);
      assert.deepEqual(token.runs(), []);
      assert.equal((await token.install(format, '--private-key', token.key)).status, 0);
      assert.deepEqual(token.machine.tree(), ours);
    });
  }

  for (const format of ['uki', 'type1']) {
    test(`with --signing-batch installs ${format} with one run, as the key itself does`, {
      skip,
    }, async (t) => {
      const token = new Token(t);
      token.takesBatches();
      const command = ['--signing-command', token.command, '--signing-batch'];
      assert.equal((await token.install(format, ...command)).status, 0);
      assert.equal(token.runs().length, 1);
      const ours = token.machine.tree();
      fs.rmSync(token.machine.esp, { recursive: true });
      fs.mkdirSync(token.machine.esp);
      assert.equal((await token.install(format, '--private-key', token.key)).status, 0);
      assert.deepEqual(token.machine.tree(), ours);
    });
  }

  const answers: readonly (readonly [string, string, RegExp])[] = [
    ['too few lines', 'head -n 1', /expected \d lines, got 1/],
    ['another order', 'tac', /EFI\/\S+: expected an RSA signature of the digest/],
    ['no base64', 'tr A-Za-z .', /bytes that are none/],
  ];
  for (const [what, afterwards, words] of answers) {
    test(`that answers a batch with ${what} leaves the ESP untouched`, { skip }, async (t) => {
      const token = new Token(t);
      token.takesBatches(afterwards);
      const command = ['--signing-command', token.command, '--signing-batch'];
      const { status, error } = await token.install('uki', ...command);
      assert.equal(status, 1);
      assert.match(error?.message ?? '', words);
      assert.deepEqual(token.machine.tree(), {});
    });
  }

  test('of two ESPs is asked once', { skip }, async (t) => {
    const token = new Token(t);
    token.takesBatches();
    const mirror = join(token.machine.root, 'mirror');
    fs.mkdirSync(mirror);
    const command = ['--signing-command', token.command, '--signing-batch', '--esp', mirror];
    assert.equal((await token.install('uki', ...command)).status, 0);
    assert.equal(token.runs().length, 1);
    assert.deepEqual(token.machine.tree(mirror), token.machine.tree());
  });

  test('signs several programs by hand with one run', { skip }, async (t) => {
    const token = new Token(t);
    token.takesBatches();
    const efi = join(token.machine.systemd, 'lib/systemd/boot/efi');
    const files = fs.readdirSync(efi).map((name) => join(efi, name));
    const pair = ['--certificate', certificatePath, '--signing-command', token.command];
    const args = [...files, ...pair, '--signing-batch', '--quiet'];
    const { status, error } = await token.machine.runWith({}, 'sign', ...args);
    assert.equal(status, 0, error?.message);
    assert.equal(token.runs().length, 1);
    for (const file of files) run('sbverify', ['--cert', certificatePath, file]);
  });

  test('signs programs by hand', { skip }, async (t) => {
    const token = new Token(t);
    const path = join(token.machine.systemd, 'lib/systemd/boot/efi/systemd-bootx64.efi');
    const pair = ['--certificate', certificatePath, '--signing-command', token.command];
    const { status, error } = await token.machine.runWith({}, 'sign', path, ...pair, '--quiet');
    assert.equal(status, 0, error?.message);
    assert.equal(token.runs().length, 1);
    run('sbverify', ['--cert', certificatePath, path]);
  });

  test('that fails leaves what boots, and says which command it was', { skip }, async (t) => {
    const token = new Token(t);
    await token.install('uki', '--private-key', token.key);
    const before = token.machine.tree();
    token.machine.generations([{}, {}, {}]);
    const { status, error } = await token.install('uki', '--signing-command', 'false');
    assert.equal(status, 1);
    const because = error?.cause instanceof Error ? error.cause.message : error?.message;
    assert.match(because ?? '', /signing command false: expected status 0, got 1/);
    assert.deepEqual(token.machine.tree(), before);
  });

  const mistakes: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['beside a key', ['--private-key', '/db.key', '--signing-command', 'x'], /one key is enough/],
    ['of nothing', ['--signing-command', ' '], /--signing-command: expected a command/],
  ];
  for (const [what, args, words] of mistakes) {
    test(`${what} is a mistake`, async (t) => {
      const { status, error } = await new Token(t).install('uki', ...args);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', words);
    });
  }

  test('without a certificate is a mistake', async (t) => {
    const { machine } = new Token(t);
    const args = [...machine.arguments(), '--signing-command', 'x'];
    const { error } = await machine.runWith({}, 'install', ...args);
    assert.match(error?.message ?? '', /--signing-command is given without --certificate/);
  });
});
