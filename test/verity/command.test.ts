import assert from 'node:assert/strict';
import { existsSync, linkSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import { attempt, run } from '../lab/run.ts';
import { isRoot } from '../lab/tools.ts';
import { aDirectory, verity, verityBelow } from './a-directory.ts';

/** A file of 40 KiB, and where its hash area and root hash may go. */
function someFiles(t: TestContext) {
  const at = aDirectory(t);
  const [data, hash, rootHash] = [at('usr.erofs'), at('usr.verity'), at('usr.roothash')];
  writeFileSync(data, new Uint8Array(40_960).fill(7));
  return { at, data, hash, rootHash };
}

/** What a verb prints with `--json`. */
async function document(...parameters: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await verity(...parameters, '--json')).text);
}

describe('espalier verity format', () => {
  test('gives the same data the same hash area, and others another', async (t) => {
    const { at, data, hash } = someFiles(t);
    const first = await document('format', data, hash);
    const bytes = readFileSync(hash);
    assert.deepEqual(await document('format', data, at('again')), first);
    assert.deepEqual(readFileSync(at('again')), bytes);
    writeFileSync(data, new Uint8Array(40_960).fill(8));
    const other = await document('format', data, hash);
    assert.equal(other['salt'], first['salt']);
    assert.notEqual(other['uuid'], first['uuid']);
    assert.match(String(other['uuid']), /^\w{8}-\w{4}-4\w{3}-[89ab]\w{3}-\w{12}$/);
  });

  test('takes salt and UUID from a seed, whatever the data', async (t) => {
    const { data, hash } = someFiles(t);
    const seed = '--seed=01234567-89ab-cdef-0123-456789abcdef';
    const first = await document('format', data, hash, seed);
    // HMAC-SHA256 with the seed's bytes as its key, over `verity-salt` and `verity-uuid`.
    assert.equal(first['salt'], 'c65b6ab68edf421fcc0cb48ba60f7f14f5186b4d003d21ab3b334b91de16759c');
    assert.equal(first['uuid'], '898929e6-7747-423e-8593-3659ba461e7c');
    writeFileSync(data, new Uint8Array(8192));
    const other = await document('format', data, hash, seed);
    assert.deepEqual([other['salt'], other['uuid']], [first['salt'], first['uuid']]);
  });

  test('prints a document with every field', async (t) => {
    const { data, hash } = someFiles(t);
    const { rootHash, uuid, salt, ...rest } = await document('format', data, hash, '--hash=sha512');
    assert.match(String(rootHash), /^[0-9a-f]{128}$/);
    assert.deepEqual(rest, {
      version: 1,
      verb: 'verity format',
      hashType: 1,
      dataBlocks: 10,
      dataBlockSize: 4096,
      hashBlocks: 1,
      hashBlockSize: 4096,
      hashAlgorithm: 'sha512',
      hashOffset: 0,
    });
    const dumped = await document('dump', hash);
    assert.deepEqual(dumped, { ...rest, uuid, salt, verb: 'verity dump' });
  });

  test('gives the same bytes over whatever was in the file, and ends it', async (t) => {
    const { at, data, hash } = someFiles(t);
    for (const flags of [[], ['--data-blocks=1'], ['--hash-block-size=1024']]) {
      await verity('format', data, at('fresh'), ...flags);
      writeFileSync(hash, new Uint8Array(100_000).fill(9));
      await verity('format', data, hash, ...flags);
      assert.deepEqual(readFileSync(hash), readFileSync(at('fresh')), flags.join());
    }
  });

  test('keeps what lies before the area, and behind it where the data are in the same file', async (t) => {
    const { data, hash } = someFiles(t);
    writeFileSync(hash, new Uint8Array(100_000).fill(9));
    await verity('format', data, hash, '--hash-offset=8192');
    assert.ok(
      readFileSync(hash)
        .subarray(0, 8192)
        .every((byte) => byte === 9),
    );
    assert.equal(statSync(hash).size, 8192 + 8192);
    await verity('format', data, data, '--data-blocks=2', '--hash-offset=8192');
    assert.equal(statSync(data).size, 40_960);
  });

  test('tells of data that end within a block, and with --strict refuses them', async (t) => {
    const { data, hash, rootHash } = someFiles(t);
    writeFileSync(data, new Uint8Array(40_961).fill(7));
    const strict = { code: 'VERITY_MALFORMED', message: /its end, 1 byte, is not covered/ };
    await assert.rejects(verity('format', data, hash, '--strict'), strict);
    assert.equal(existsSync(hash), false);
    const flags = ['--root-hash-file', rootHash];
    assert.equal((await verity('format', data, hash, ...flags)).status, 5);
    assert.equal((await verity('verify', data, hash, ...flags)).status, 5);
    await assert.rejects(verity('verify', data, hash, ...flags, '--strict'), strict);
    assert.equal((await verity('format', data, hash, '--data-blocks=10', '--strict')).status, 0);
  });

  test('never writes over the data, and leaves nothing behind when it cannot', async (t) => {
    const { data, hash } = someFiles(t);
    const before = readFileSync(data);
    await assert.rejects(verity('format', data, data), {
      code: 'CONFIG_INVALID',
      message: '--hash-offset: expected at least 40960, where the data end in the same file, got 0',
    });
    await assert.rejects(verity('format', data, data, '--hash-offset=36864'), {
      hint: 'cover fewer blocks with --data-blocks, here at most 9',
    });
    await assert.rejects(verity('format', data, hash, '--data-blocks=11'), { status: 2 });
    assert.deepEqual(readFileSync(data), before);
    assert.equal(existsSync(hash), false);
    await assert.rejects(
      verity('format', data, hash, '--root-hash-file', `${hash}/there/is/no/such/directory`),
    );
    assert.equal(existsSync(hash), false);
  });

  for (const flag of [
    '--data-block-size=768',
    '--hash-block-size=1048576',
    '--data-block-size=4k',
    '--data-blocks=0',
    '--hash-offset=100',
    '--hash=md5',
    '--hash=__proto__',
    '--salt=abc',
    `--salt=${'00'.repeat(257)}`,
    '--uuid=1',
    '--seed=x',
    '--root-hash-file=',
  ]) {
    test(`refuses ${flag.slice(0, 40)} before it touches anything`, async (t) => {
      const { data, hash } = someFiles(t);
      const name = flag.split('=')[0] ?? '';
      await assert.rejects(verity('format', data, hash, flag), {
        code: 'CONFIG_INVALID',
        message: new RegExp(`^${name}: `),
      });
      assert.equal(existsSync(hash), false);
    });
  }

  test('writes the root hash over neither data nor hash area, by whatever name', async (t) => {
    const { at, data, hash } = someFiles(t);
    const before = readFileSync(data);
    linkSync(data, at('another-name'));
    for (const file of [data, hash, at('another-name')]) {
      await assert.rejects(verity('format', data, hash, '--root-hash-file', file), {
        code: 'CONFIG_INVALID',
        message: /^--root-hash-file: .* which would be lost$/,
      });
      assert.deepEqual(readFileSync(data), before);
    }
    assert.equal(existsSync(hash), false);
  });

  test('works below another root, and what it writes there everyone may read', async (t) => {
    const { at, data, hash, rootHash } = someFiles(t);
    const flags = ['/usr.erofs', '/usr.verity', '--root-hash-file', '/usr.roothash'];
    const { text } = await verityBelow(at(''), 'format', ...flags);
    for (const file of [hash, rootHash]) assert.equal(statSync(file).mode & 0o444, 0o444, file);
    assert.ok(text.includes(readFileSync(rootHash, 'utf8')));
    assert.equal((await verity('verify', data, hash, '--root-hash-file', rootHash)).status, 0);
  });

  const skip = !(isRoot() && existsSync('/dev/loop-control')) && 'needs root and loop devices';
  test('writes onto block devices, and not beyond their end', { skip }, async (t) => {
    const { at, data, hash, rootHash } = someFiles(t);
    const device = (file: string) => {
      const path = run('losetup', ['--find', '--show', file]).trim();
      t.after(() => attempt('losetup', ['--detach', path]));
      return path;
    };
    writeFileSync(at('backing'), new Uint8Array(8192));
    writeFileSync(at('small'), new Uint8Array(4096));
    await verity('format', data, hash);
    const [dataDevice, hashDevice] = [device(data), device(at('backing'))];
    await verity('format', dataDevice, hashDevice, '--root-hash-file', rootHash);
    assert.deepEqual(readFileSync(hashDevice), readFileSync(hash));
    const verified = await verity('verify', dataDevice, hashDevice, '--root-hash-file', rootHash);
    assert.equal(verified.status, 0);
    await assert.rejects(verity('format', dataDevice, device(at('small'))), {
      message: /expected a device of at least 8192 bytes, got 4096 bytes$/,
    });
  });
});

describe('espalier verity verify', () => {
  test('finds data with their hash area in the same file intact', async (t) => {
    const { data, rootHash } = someFiles(t);
    const offset = '--hash-offset=40960';
    await verity('format', data, data, offset, '--root-hash-file', rootHash);
    const text = readFileSync(rootHash, 'utf8');
    assert.deepEqual(await verity('verify', data, data, text, offset), {
      status: 0,
      text: `${data}: intact`,
    });
  });

  test('ends with 1 and says where, in words and as a document', async (t) => {
    const { data, hash, rootHash } = someFiles(t);
    await verity('format', data, hash, '--root-hash-file', rootHash);
    const bytes = readFileSync(data);
    bytes[9000] = 0;
    writeFileSync(data, bytes);
    const flags = ['verify', data, hash, '--root-hash-file', rootHash];
    const { status, text } = await verity(...flags);
    assert.equal(status, 1);
    assert.equal(text, `${data}: corrupt at byte 8192: data block 2`);
    const { finding } = await document(...flags);
    assert.deepEqual(finding, { kind: 'data-block', block: 2, offset: 8192 });
  });

  test('wants one root hash of the right length, and files that are there', async (t) => {
    const { data, hash, rootHash } = someFiles(t);
    await verity('format', data, hash, '--root-hash-file', rootHash);
    const usage = { code: 'CONFIG_INVALID' };
    await assert.rejects(verity('verify', data, hash), usage);
    await assert.rejects(verity('verify', data, hash, 'beef'), usage);
    await assert.rejects(
      verity('verify', data, hash, '0'.repeat(64), '--root-hash-file', rootHash),
      usage,
    );
    await assert.rejects(verity('verify', data, data, '0'.repeat(64)), {
      code: 'VERITY_MALFORMED',
    });
    await assert.rejects(verity('dump', `${hash}.none`), { code: 'FILE_MISSING' });
    await assert.rejects(verity('dump', '/dev/null'), {
      message: '/dev/null: expected a file or block device',
    });
  });
});
