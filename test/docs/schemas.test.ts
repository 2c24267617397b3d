/** What verbs print with `--json` is what docs/schemas says, for every verb. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import { VERBS } from '../../src/command/verbs.ts';
import type { EspError } from '../../src/error.ts';
import { DOCUMENTS, SHAPES_OF_OTHERS } from '../../tools/json-documents.ts';
import { SCHEMAS, schemaFiles } from '../../tools/json-schemas.ts';
import { faultsIn, object, text } from '../../tools/schema.ts';
import { aMachine, type Machine } from '../command/a-machine.ts';
import { aVerityBench, build } from '../image/an-image.ts';
import { aDistribution } from '../kernels/a-distribution.ts';
import { readDocument } from '../support/read-document.ts';

const KEYS = ['--certificate', 'fixtures/keys/db.pem', '--private-key', 'fixtures/keys/db.key'];

/** Runs a verb with `--json` on a machine, and returns its document. */
async function told(machine: Machine, verb: string, ...args: readonly string[]) {
  const words = verb.split(' ');
  const { output, error } = await machine.runWith(
    {},
    ...[...words, ...args, ...machine.arguments(), '--pins', join(machine.root, 'pins')],
    ...['--allow-unsigned', '--quiet', '--json'],
  );
  assert.equal(error, undefined, `${verb}: ${error?.message}`);
  return readDocument(verb, output);
}

function aRichMachine(t: TestContext): Machine {
  const generations = [{}, { specialisations: { gaming: {} } }, {}];
  const machine = aMachine(t, { generations });
  machine.boots(1);
  return machine;
}

describe('the document of', () => {
  for (const format of ['uki', 'shared', 'type1']) {
    test(`every verb that looks, and of install, with entries of format ${format}`, async (t) => {
      const machine = aRichMachine(t);
      const asked = ['--format', format, '--boot-counting', '3'];
      if (format === 'shared') machine.brings('257.9');
      await told(machine, 'plan', ...asked);
      await told(machine, 'install', ...asked);
      machine.put('loader/entries/windows.conf', 'title Windows\nefi /EFI/x.efi\n');
      machine.put('loader/addons/a.addon.efi', 'MZ');
      for (const verb of ['list', 'status', 'report', 'verify', 'gc']) await told(machine, verb);
      const [, victim = ''] = machine.paths(/generation-\d-.*\.(efi|conf)$/);
      fs.truncateSync(join(machine.esp, victim), 10);
      fs.rmSync(`${machine.toplevel(2)}/init`);
      for (const verb of ['list', 'status', 'report', 'verify']) await told(machine, verb);
      const [next = ''] = machine.paths(/generation-3-.*\.(efi|conf)$/);
      fs.truncateSync(join(machine.esp, next), 10);
      for (const verb of ['list', 'status', 'report', 'verify']) await told(machine, verb);
      await told(machine, 'repair', ...asked);
    });
  }

  test('measure, verify and uki verify of files, pin, unpin and config check', async (t) => {
    const machine = aRichMachine(t);
    await told(machine, 'install');
    await told(machine, 'measure', '1');
    const [image = ''] = machine.paths(/generation-1-/);
    await told(machine, 'verify', join(machine.esp, image));
    await told(machine, 'uki verify', join(machine.esp, image));
    await told(machine, 'pin', '1');
    await told(machine, 'list');
    await told(machine, 'unpin', '1');
    await told(machine, 'config check', '--limit', 'x');
  });

  test('sign, uki build and the verbs of keys', async (t) => {
    const machine = aRichMachine(t);
    const file = join(machine.root, 'program.efi');
    fs.copyFileSync(join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub'), file);
    await told(machine, 'sign', ...KEYS, '--allow-insecure-key', file);
    const bare = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    const stub = ['--stub', bare, '--linux', bare, '--output', join(machine.root, 'a.efi')];
    await told(machine, 'uki build', ...stub);
    const directory = join(machine.root, 'keys');
    await told(machine, 'keys generate', directory, '--bits', '2048');
    const brick = '--yes-this-might-brick-my-machine';
    await told(machine, 'keys enroll', directory, brick);
    await told(machine, 'keys status', directory);
    await told(machine, 'keys generate', directory, '--bits', '2048', '--next');
    await told(machine, 'keys enroll', directory, '--next');
  });

  test('the verbs that read no settings of an ESP', async (t) => {
    const { root, systemd } = aMachine(t);
    const at = (name: string) => join(root, name);
    const lines: string[] = [];
    // Services run a bundle: any name but that of a source counts as one.
    const context = {
      ...processContext(pathToFileURL(at('espalier.mjs'))),
      print: (line: unknown) => void lines.push(String(line)),
    };
    const says = async (verb: string, ...args: readonly string[]) => {
      lines.length = 0;
      await run([...verb.split(' '), ...args, '--json'], '0', context);
      return readDocument(verb, lines.join('\n'));
    };
    fs.writeFileSync(at('data'), new Uint8Array(40_960).fill(7));
    const { rootHash } = await says('verity format', at('data'), at('hash'));
    await says('verity verify', at('data'), at('hash'), String(rootHash));
    await says('verity verify', at('data'), at('hash'), 'a'.repeat(64));
    await says('verity dump', at('hash'));
    const signed = ['--output', at('p7s'), '--allow-insecure-key'];
    await says('verity sign', ...KEYS, ...signed, String(rootHash));
    await says('image inspect', at('data'));
    await says('image convert', at('data'), at('data.qcow2'));
    const stub = join(systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    const image = ['--stub', stub, '--linux', stub, '--cmdline', `usrhash=${rootHash}`];
    await says('uki build', ...image, '--output', at('a.efi'));
    await says('uki inspect', at('a.efi'));
    await says('pcrlock lock-pe', at('a.efi'));
    await says('pcrlock lock-uki', at('a.efi'));
    fs.writeFileSync(at('repart.json'), '[]');
    await says('uki verify', at('a.efi'), '--repart', at('repart.json'));
    fs.writeFileSync(at('a.service'), `[Service]\nExecStart=${process.execPath}\n`);
    await says('confine', at('a.service'));
    await says('confine', at('a.service'), '--output', '-');
    fs.mkdirSync(at('bin'));
    fs.writeFileSync(at('bin/systemd-notify'), '');
    const path = { ...context, environment: { PATH: at('bin') } };
    lines.length = 0;
    fs.writeFileSync(at('empty.toml'), '');
    const units = ['units', '--prefix', at('usr'), '--config', at('empty.toml'), '--json'];
    await run(units, '0', path);
    readDocument('units', lines.join('\n'));
  });

  test('image build and image finish', async (t) => {
    const bench = aVerityBench(t);
    fs.appendFileSync(bench.path('defs/20-data.conf'), 'SplitName=usr\n');
    const rows = await build(bench, 'a.raw', '--defer', 'esp', '--split');
    await bench.build('--cmdline', `usrhash=${rows[2]?.roothash}`);
    const finish = ['image', 'finish', bench.path('a.raw'), bench.path('out.efi'), '--json'];
    const { output, error } = await bench.run(finish);
    assert.equal(error, undefined, error?.message);
    readDocument('image finish', output);
  });

  test('the verbs of kernels', async (t) => {
    const debian = aDistribution(t, '6.1.0-9-amd64', '6.1.0-10-amd64');
    const says = async (verb: string, ...args: readonly string[]) => {
      const { output, error } = await debian.run(...verb.split(' '), ...args, '--json');
      assert.equal(error, undefined, error?.message);
      return readDocument(verb, output);
    };
    await says('kernel sync');
    await says('kernel add', '6.1.0-10-amd64');
    await says('install');
    await says('kernel remove', '6.1.0-9-amd64');
    assert.equal((await says('kernel list'))['verb'], 'kernel list');
  });
});

describe('the schemas', () => {
  test('are those of the table', () => {
    const files = schemaFiles();
    assert.deepEqual(fs.readdirSync(SCHEMAS).sort(), [...files.keys()].sort());
    for (const [name, expected] of files) {
      const found = fs.readFileSync(join(SCHEMAS, name), 'utf8');
      assert.equal(found, expected, 'run node tools/json-schemas.ts');
    }
  });

  test('are there for every verb that has a document of ours, and a test reads each', () => {
    const printing = VERBS.filter(({ withoutDocument }) => withoutDocument === undefined);
    const described = Object.keys({ ...DOCUMENTS, ...SHAPES_OF_OTHERS });
    assert.deepEqual(described.sort(), printing.map(({ name }) => name).sort());
    const root = join(import.meta.dirname, '..');
    const texts = fs
      .readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => fs.readFileSync(join(root, name), 'utf8'))
      .filter((one) => one.includes('readDocument'))
      .join('\n');
    assert.deepEqual(
      described.filter((verb) => !texts.includes(`'${verb}'`)),
      [],
    );
  });

  for (const { name, withoutDocument } of VERBS) {
    if (withoutDocument === undefined) continue;
    test(`have none for ${name}, which refuses --json and says why`, async () => {
      const here = processContext(pathToFileURL(import.meta.filename));
      const running = run([...name.split(' '), '--json'], '0', here);
      await assert.rejects(running, (error: EspError) => {
        assert.equal(error.code, 'CONFIG_INVALID');
        assert.equal(error.message, `${name} does not use --json`);
        assert.ok(error.hint?.startsWith(withoutDocument), error.hint);
        return true;
      });
    });
  }

  test('refuse what is missing, of another type, or unknown', () => {
    const schema = object({ a: text }, { b: text });
    assert.deepEqual(faultsIn({ a: 'x', b: 'y' }, schema), []);
    assert.deepEqual(faultsIn({ b: 1, c: 'x' }, schema), [
      '$.a: is missing',
      '$.b: expected string, got 1',
      '$.c: is in no schema',
    ]);
  });
});
