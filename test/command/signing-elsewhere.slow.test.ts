/** A machine that never sees a key: it asks, another one signs, and what it installs is the same. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { recipe } from '../interop/task-recipe.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aKernel, aMachine, aStub, type Machine } from './a-machine.ts';

const missing = missingTools(['jq', 'openssl', 'osslsigncode', 'sbsigntool', 'xxd']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

const FORMATS = ['uki', 'shared', 'type1', 'thin'] as const;

/** What of each format is signed. */
const SIGNED = {
  uki: /^EFI\/(Linux|systemd|BOOT)\//,
  shared: /^EFI\/(nixos\/uki|systemd\/|BOOT\/)/,
  type1: /^EFI\/(nixos\/kernel|systemd\/|BOOT\/)/,
  thin: /^EFI\/(Linux|systemd|BOOT)\//,
} as const;

interface Document {
  certificate: string;
  programs: { what: string; path: string | null; image: string; digest: string }[];
  signatures: { digest: string; signature: string }[];
}

const forAnother = (document: Document): void => {
  document.certificate = '0'.repeat(64);
};
const spoilFirst = ({ signatures: [first] }: Document): void => {
  if (first) first.signature = '!';
};

/** Two machines: one with an ESP, and one with a key. */
class Pair {
  readonly machine: Machine;
  readonly request: string;
  readonly signatures: string;
  readonly key: string;
  readonly #format: string;

  constructor(t: TestContext, format: (typeof FORMATS)[number] = 'uki') {
    this.machine = aMachine(t, { generations: [{}, {}] });
    const at = (name: string) => join(this.machine.root, name);
    [this.request, this.signatures] = [at('request.json'), at('signatures.json')];
    this.key = at('db.key');
    fs.writeFileSync(this.key, privateKeyPem, { mode: 0o600 });
    this.#format = format;
    const stub = join(this.machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    if (format === 'shared') fs.writeFileSync(stub, aStub('257'));
  }

  esp(verb: string, ...more: readonly string[]) {
    const stub = join(this.machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    const environment = {
      ESPALIER_FORMAT: this.#format,
      ESPALIER_SIGN_KERNELS: 'true',
      ESPALIER_STUB: stub,
    };
    const args = [...this.machine.arguments(), '--certificate', certificatePath, '--quiet'];
    return this.machine.runWith({ environment }, verb, ...args, ...more);
  }

  plan(...more: readonly string[]) {
    return this.esp('plan', '--signing-request', this.request, ...more);
  }

  sign(...more: readonly string[]) {
    const pair = ['--certificate', certificatePath, '--private-key', this.key];
    const args = ['--request', this.request, '--output', this.signatures, '--sign-kernels'];
    return this.machine.runWith({}, 'sign', ...pair, ...args, ...more, '--quiet');
  }

  install(...more: readonly string[]) {
    return this.esp('install', '--signatures', this.signatures, ...more);
  }

  read(path: string): Document {
    return JSON.parse(fs.readFileSync(path, 'utf8')) as Document;
  }

  /** Changes a document as somebody on its way could. */
  edit(path: string, change: (document: Document) => void): void {
    const document = this.read(path);
    change(document);
    fs.writeFileSync(path, JSON.stringify(document));
  }

  /** What the key at hand makes of an empty ESP. */
  async withTheKey(...more: readonly string[]): Promise<Record<string, string>> {
    fs.rmSync(this.machine.esp, { recursive: true });
    fs.mkdirSync(this.machine.esp);
    assert.equal((await this.esp('install', '--private-key', this.key, ...more)).status, 0);
    return this.machine.tree();
  }
}

describe('signing elsewhere', () => {
  for (const format of FORMATS) {
    test(`an ESP of ${format} signed elsewhere is that signed with the key at hand, to the byte`, {
      skip,
    }, async (t) => {
      const pair = new Pair(t, format);
      assert.equal((await pair.plan()).status, 0);
      assert.deepEqual(pair.machine.tree(), {}, 'to ask changes nothing');
      assert.equal((await pair.sign()).status, 0);
      const { status, error } = await pair.install();
      assert.equal(status, 0, error?.message);
      const theirs = pair.machine.tree();
      for (const path of pair.machine.paths(SIGNED[format])) {
        const file = join(pair.machine.esp, path);
        run('sbverify', ['--cert', certificatePath, file]);
        const authority = ['-CAfile', certificatePath, '-TSA-CAfile', certificatePath];
        run('osslsigncode', ['verify', ...authority, '-in', file]);
      }
      assert.match((await pair.install()).output, /nothing to do/);
      assert.deepEqual(await pair.withTheKey(), theirs);
    });

    test(`what ${format} asks for is what openssl signs as docs/tasks.md says`, {
      skip,
    }, async (t) => {
      const pair = new Pair(t, format);
      await pair.plan();
      const cwd = pair.machine.root;
      run('bash', ['-c', recipe('request.json', 'jq')], { cwd });
      assert.equal((await pair.install()).status, 0);
      const byHand = fs.readFileSync(pair.signatures, 'utf8');
      await pair.sign();
      const { signatures, certificate } = pair.read(pair.signatures);
      assert.deepEqual(JSON.parse(byHand), {
        version: 1,
        kind: 'signatures',
        certificate,
        signatures,
      });
    });
  }

  test('a request names each program with its path, its digest and what is to be signed', {
    skip,
  }, async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    const { programs } = pair.read(pair.request);
    await pair.esp('install', '--private-key', pair.key);
    assert.deepEqual(
      programs.map(({ what }) => what),
      ['uki', 'uki', 'loader'],
    );
    for (const { path, image } of programs) {
      const file = join(pair.machine.esp, path ?? '');
      assert.match(
        run('osslsigncode', ['verify', '-CAfile', certificatePath, '-in', file]),
        new RegExp(image, 'i'),
      );
    }
  });

  test('a request is the same however often it is made', async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    const first = fs.readFileSync(pair.request, 'utf8');
    await pair.plan();
    assert.equal(fs.readFileSync(pair.request, 'utf8'), first);
  });

  test('what is signed already is not asked for', async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    await pair.sign();
    await pair.install();
    assert.match((await pair.plan()).output, /0 programs to be signed/);
    pair.machine.generations([{}, {}, { initrd: 'another' }]);
    await pair.plan();
    assert.equal(pair.read(pair.request).programs.length, 1);
  });

  for (const format of FORMATS) {
    test(`signatures that are older than the system are refused for ${format}, by name`, async (t) => {
      const pair = new Pair(t, format);
      await pair.plan();
      await pair.sign();
      await pair.install();
      const before = pair.machine.tree();
      pair.machine.generations([{}, {}, { kernel: aKernel('another') }]);
      const { status, error } = await pair.install();
      assert.deepEqual([status, error?.code], [3, 'SIGNATURE_MISSING']);
      assert.match(error?.message ?? '', /signature of \S+: there is none/);
      assert.deepEqual(pair.machine.tree(), before);
    });
  }

  test('extra files that are signed are asked for with all the rest, by the paths they get', async (t) => {
    const pair = new Pair(t);
    const { root, esp } = pair.machine;
    const names = ['memtest', 'shell'];
    const lines = names.map((name) => {
      fs.writeFileSync(join(root, `${name}.efi`), aKernel(name));
      const source = JSON.stringify(join(root, `${name}.efi`));
      return `"EFI/${name}/${name}.efi" = { source = ${source}, sign = true }`;
    });
    const config = join(root, 'espalier.toml');
    fs.writeFileSync(config, ['[extra-files]', ...lines, ''].join('\n'));
    const settings = ['--config', config];
    await pair.plan(...settings);
    const { programs } = pair.read(pair.request);
    assert.deepEqual(
      programs.flatMap(({ what, path }) => (what === 'program' ? [path] : [])),
      names.map((name) => `EFI/${name}/${name}.efi`),
    );
    await pair.sign();
    assert.equal((await pair.install(...settings)).status, 0);
    const theirs = pair.machine.tree();
    assert.deepEqual(await pair.withTheKey(...settings), theirs);
    fs.rmSync(join(esp, 'EFI/memtest'), { recursive: true });
    pair.edit(pair.signatures, ({ signatures }) => void signatures.splice(0));
    const { error } = await pair.install(...settings);
    assert.equal(error?.code, 'SIGNATURE_MISSING');
    assert.match(error.message, /memtest\.efi: there is none/);
  });

  const spoilt: readonly (readonly [string, (document: Document) => void, string, RegExp])[] = [
    [
      'one that is missing',
      ({ signatures }) => void signatures.pop(),
      'SIGNATURE_MISSING',
      /BOOTX64\.EFI|systemd-bootx64\.efi/,
    ],
    [
      'one of another program',
      ({ signatures: [first, second] }) => {
        if (first && second) first.signature = second.signature;
      },
      'SIGNATURE_MISSING',
      /EFI\/Linux\/\S+\.efi: it is not of the key/,
    ],
    [
      'all for another certificate',
      forAnother,
      'KEY_INVALID',
      /expected signatures for certificate/,
    ],
    [
      'one that is no base64',
      spoilFirst,
      'KEY_INVALID',
      /signatures\.0\.signature: expected base64/,
    ],
  ];
  for (const [what, change, code, words] of spoilt) {
    test(`${what} is refused, and nothing is touched`, async (t) => {
      const pair = new Pair(t);
      await pair.plan();
      await pair.sign();
      pair.edit(pair.signatures, change);
      const { error } = await pair.install();
      assert.equal(error?.code, code);
      assert.match(error?.message ?? '', words);
      assert.deepEqual(pair.machine.tree(), {});
    });
  }

  test('signatures of another key are refused by name, and nothing is touched', {
    skip,
  }, async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    fs.rmSync(pair.key);
    run('openssl', ['genrsa', '-out', pair.key, '2048']);
    run('bash', ['-c', recipe('request.json', 'jq')], { cwd: pair.machine.root });
    const { error } = await pair.install();
    assert.equal(error?.code, 'SIGNATURE_MISSING');
    assert.match(error.message, /EFI\/Linux\/\S+\.efi: it is not of the key/);
    assert.deepEqual(pair.machine.tree(), {});
  });

  test('a key signs nothing but the digests of images', async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    pair.edit(pair.request, ({ programs: [first] }) => {
      if (first) first.digest = 'a'.repeat(64);
    });
    const { error } = await pair.sign();
    assert.equal(error?.code, 'KEY_INVALID');
    assert.match(error.message, /EFI\/Linux\/\S+\.efi: digest: expected [0-9a-f]{64}, got a{64}/);
    assert.ok(!fs.existsSync(pair.signatures));
  });

  test('a key signs for its own certificate alone', async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    pair.edit(pair.request, forAnother);
    const { error } = await pair.sign();
    assert.match(error?.message ?? '', /asks for certificate 0{64}/);
  });

  test('a signing command answers a request with one run', { skip }, async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    const command = join(pair.machine.root, 'token');
    const log = join(pair.machine.root, 'log');
    const openssl = `openssl pkeyutl -sign -pkeyopt digest:sha256 -inkey ${pair.key}`;
    const loop = `while read -r d; do printf %s "$d" | xxd -r -p | ${openssl} | base64 -w 0; echo; done`;
    fs.writeFileSync(command, `#!/bin/sh\necho run >> ${log}\n${loop}\n`, { mode: 0o755 });
    const { status } = await pair.machine.runWith(
      {},
      ...['sign', '--request', pair.request, '--output', pair.signatures, '--quiet'],
      ...['--certificate', certificatePath, '--signing-command', command, '--signing-batch'],
    );
    assert.equal(status, 0);
    assert.equal(fs.readFileSync(log, 'utf8'), 'run\n');
    assert.equal((await pair.install()).status, 0);
  });

  for (const format of ['uki', 'thin'] as const) {
    test(`status tells what differs for ${format} with the certificate alone`, async (t) => {
      const pair = new Pair(t, format);
      pair.machine.asInStore();
      await pair.plan();
      await pair.sign();
      await pair.install();
      assert.equal((await pair.esp('status')).status, 0);
      pair.machine.generations([{}, {}, { initrd: 'another' }]);
      pair.machine.asInStore();
      const { status, output } = await pair.esp('status', '--json');
      assert.equal(status, 5);
      assert.match(output, /"kind": "missing"/);
    });
  }

  test('status runs no signing command, and says what it does not know', async (t) => {
    const pair = new Pair(t, 'type1');
    pair.machine.asInStore();
    await pair.plan();
    await pair.sign();
    await pair.install();
    assert.equal((await pair.esp('status')).status, 0);
    pair.machine.generations([{}, {}, { kernel: aKernel('another') }]);
    const ran = join(pair.machine.root, 'ran');
    const { status, output } = await pair.esp('status', '--signing-command', `touch ${ran}`);
    assert.equal(status, 5);
    assert.match(output, /its\s+signed\s+form\s+is\s+not\s+known\s+yet/);
    assert.ok(!fs.existsSync(ran));
  });

  test('a damaged ESP is repaired with the signatures that made it', async (t) => {
    const pair = new Pair(t);
    await pair.plan();
    await pair.sign();
    await pair.install();
    const before = pair.machine.tree();
    const [image = ''] = pair.machine.paths(/^EFI\/Linux\//);
    pair.machine.put(image, 'damaged');
    assert.equal((await pair.esp('repair', '--signatures', pair.signatures)).status, 0);
    assert.deepEqual(pair.machine.tree(), before);
  });

  const misuses: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['nothing to sign', ['sign'], /expected one or more FILE, or --request/],
    [
      'files beside a request',
      ['sign', 'a.efi', '--request', 'r'],
      /expected one or more FILE, or/,
    ],
    [
      'a request without a certificate',
      ['plan', '--signing-request', 'r'],
      /expected --certificate/,
    ],
    ['a request that is not there', ['sign', '--request', '/none'], /\/none: expected a file/],
  ];
  for (const [what, args, words] of misuses) {
    test(`refuses ${what}`, async (t) => {
      const { machine, key } = new Pair(t);
      const config = join(machine.root, 'empty.toml');
      fs.writeFileSync(config, '');
      const more =
        args[0] === 'sign' ? ['--certificate', certificatePath, '--private-key', key] : [];
      const { status, error } = await machine.runWith({}, ...args, '--config', config, ...more);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', words);
    });
  }
});
