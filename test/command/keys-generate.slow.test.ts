import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aWorkbench, type Workbench } from './a-uki.ts';

const missing = missingTools(['openssl']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;
const NAMES = ['PK', 'KEK', 'db'];

/** Small keys, because none of these tests is about their strength. */
function generate(bench: Workbench, ...more: readonly string[]) {
  return bench.run(['keys', 'generate', bench.path('sbctl'), '--bits', '2048', ...more]);
}

async function aKeyDirectory(t: TestContext): Promise<Workbench> {
  const bench = aWorkbench(t);
  const { status, error } = await generate(bench);
  assert.equal(status, 0, error?.message);
  return bench;
}

describe('keys generate', () => {
  test('lays out files and names as sbctl does, for their owner alone', async (t) => {
    const bench = await aKeyDirectory(t);
    const found = fs.readdirSync(bench.path('sbctl'), { recursive: true, encoding: 'utf8' });
    const files = NAMES.flatMap((name) => [
      `keys/${name}`,
      `keys/${name}/${name}.key`,
      `keys/${name}/${name}.pem`,
    ]);
    assert.deepEqual(found.sort(), ['GUID', 'keys', ...files].sort());
    for (const name of found) {
      const stat = fs.statSync(bench.path(`sbctl/${name}`));
      assert.equal(stat.mode & 0o777, stat.isDirectory() ? 0o700 : 0o600, name);
    }
    const owner = fs.readFileSync(bench.path('sbctl/GUID'), 'utf8');
    assert.match(owner, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'no end of line');
  });

  test('makes pairs that openssl takes, of 4096 bits unless told otherwise', {
    skip,
  }, async (t) => {
    const bench = aWorkbench(t);
    const { status } = await bench.run(['keys', 'generate', bench.path('sbctl'), '--days', '40']);
    assert.equal(status, 0);
    for (const name of NAMES) {
      const [pem, key] = ['pem', 'key'].map((suffix) =>
        bench.path(`sbctl/keys/${name}/${name}.${suffix}`),
      ) as [string, string];
      run('openssl', ['verify', '-CAfile', pem, pem]);
      const text = run('openssl', ['x509', '-in', pem, '-noout', '-text']);
      assert.match(text, /Public-Key: \(4096 bit\)/);
      run('openssl', ['x509', '-in', pem, '-noout', '-checkend', `${39 * 86_400}`]);
      assert.throws(() =>
        run('openssl', ['x509', '-in', pem, '-noout', '-checkend', `${41 * 86_400}`]),
      );
      const inCertificate = run('openssl', ['x509', '-in', pem, '-noout', '-pubkey']);
      assert.equal(run('openssl', ['pkey', '-in', key, '-pubout']), inCertificate);
      // sbctl reads PKCS#8 alone.
      assert.match(fs.readFileSync(key, 'utf8'), /^-----BEGIN PRIVATE KEY-----/);
    }
  });

  test('keeps an owner that is there', async (t) => {
    const bench = aWorkbench(t);
    const owner = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11';
    bench.put('sbctl/GUID', owner);
    const { output } = await generate(bench, '--json');
    const document = JSON.parse(output) as { owner: string; keys: { name: string }[] };
    assert.equal(document.owner, owner);
    assert.deepEqual(
      document.keys.map(({ name }) => name),
      NAMES,
    );
    assert.equal(fs.readFileSync(bench.path('sbctl/GUID'), 'utf8'), owner);
  });

  for (const there of ['keys/db/db.key', 'keys/PK/anything', 'keys']) {
    test(`refuses a directory with ${there}, and touches nothing`, async (t) => {
      const bench = aWorkbench(t);
      bench.put(`sbctl/${there}`, 'precious');
      const { status, error } = await generate(bench);
      assert.equal(error?.code, 'KEYS_EXIST');
      assert.equal(status, 3);
      const files = fs.readdirSync(bench.path('sbctl'), { recursive: true, withFileTypes: true });
      assert.deepEqual(
        files.filter((file) => file.isFile()).map(({ parentPath, name }) => join(parentPath, name)),
        [bench.path(`sbctl/${there}`)],
      );
    });
  }

  test('leaves no key behind when there is no room for all of them', async (t) => {
    const bench = aWorkbench(t);
    let made = 0;
    const real = (await import('../../src/disk/node-disk.ts')).nodeDisk();
    const create: typeof real.create = (path) => {
      made += 1;
      if (made === 4) throw new EspError('IO', `${path}: no space left on device`);
      return real.create(path);
    };
    const args = ['keys', 'generate', bench.path('sbctl'), '--bits', '2048'];
    const { error } = await bench.run(args, { create });
    assert.equal(error?.code, 'IO');
    const files = fs.readdirSync(bench.path('sbctl'), { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      files.filter((name) => /\.(key|pem)$/.test(name)),
      [],
    );
    assert.equal((await generate(bench)).status, 0, 'and can be run again');
  });

  for (const wrong of [
    ['--bits', '1024'],
    ['--days', '0'],
    ['--days', 'soon'],
  ]) {
    test(`refuses ${wrong.join(' ')}`, async (t) => {
      const { status, error } = await generate(aWorkbench(t), ...wrong);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', new RegExp(`^${wrong[0]}: expected`));
    });
  }

  test('refuses an owner that is no GUID', async (t) => {
    const bench = aWorkbench(t);
    bench.put('sbctl/GUID', 'me');
    const { error } = await generate(bench);
    assert.equal(error?.code, 'KEY_INVALID');
  });
});
