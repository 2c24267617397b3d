import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { attempt, run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aDirectory, verity } from './a-directory.ts';

const missing = missingTools(['cryptsetup-bin']);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

/** Bytes that repeat nowhere near, and are the same in every run. */
function someData(size: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

const UUID = '--uuid=01234567-89ab-cdef-0123-456789abcdef';
const SALT = `--salt=${'5a'.repeat(32)}`;

/** Cases by size of the data in bytes and what else is said. */
const CASES: readonly (readonly [size: number, ...flags: string[]])[] = [
  [4096, SALT],
  [8192, SALT],
  [10_000, SALT],
  [128 * 4096, SALT],
  [129 * 4096, SALT],
  [(128 * 128 + 1) * 512, SALT, '--data-block-size=512'],
  [300 * 512, SALT, '--data-block-size=512', '--hash-block-size=512'],
  [4096, SALT, '--hash-block-size=512'],
  [4096, SALT, '--hash-block-size=1024'],
  [4096, SALT, '--hash-block-size=65536'],
  [2 * 524_288, SALT, '--data-block-size=524288', '--hash-block-size=524288'],
  [300 * 1024, SALT, '--data-block-size=1024', '--hash-block-size=2048'],
  [300 * 8192, SALT, '--data-block-size=8192', '--hash-block-size=1024'],
  [300 * 4096, '--salt=-'],
  [300 * 4096, '--salt=00'],
  [300 * 4096, `--salt=${'AB'.repeat(256)}`],
  [300 * 4096, SALT, '--hash=sha1'],
  [300 * 4096, SALT, '--hash=sha224'],
  [300 * 4096, SALT, '--hash=sha384'],
  [300 * 4096, SALT, '--hash=sha512'],
  [300 * 4096, SALT, '--hash=SHA512', '--hash-block-size=512'],
  [300 * 4096, SALT, '--data-blocks=7'],
  [300 * 4096, SALT, '--data-blocks=1', '--hash-block-size=8192'],
  [300 * 4096, SALT, '--hash-offset=512'],
  [300 * 4096, SALT, '--hash-offset=1049088'],
  [300 * 4096, SALT, '--hash-offset=8192', '--hash-block-size=512'],
];

/** The veritysetup of Debian 12 keeps the name as it was given; ours says what it writes. */
const inOneForm = (text: string) => text.toLowerCase();

describe('veritysetup', { skip }, () => {
  for (const [size, ...flags] of CASES) {
    test(`formats ${size} bytes as we do, and verifies ours: ${flags.join(' ').slice(0, 90)}`, async (t) => {
      const at = aDirectory(t);
      const [data, hash, rootHash] = [at('data'), at('hash'), at('roothash')];
      writeFileSync(data, someData(size));
      const named = [UUID, ...flags];
      const theirs = run('veritysetup', [
        ...['format', data, hash, '--root-hash-file', rootHash],
        ...named,
      ]);
      const expected = readFileSync(hash);
      const hex = readFileSync(rootHash, 'utf8');
      const offset = flags.filter((flag) => flag.startsWith('--hash-offset'));
      // A tail within a block is told.
      const isWhole = size !== 10_000;
      const { status } = await verity('verify', data, hash, hex, ...offset);
      assert.equal(status, isWhole ? 0 : 5);
      run('rm', [hash, rootHash]);

      const ours = await verity(...['format', data, hash, '--root-hash-file', rootHash], ...named);
      assert.equal(inOneForm(`${ours.text}\n`), inOneForm(theirs));
      assert.deepEqual(readFileSync(hash), expected);
      assert.equal(readFileSync(rootHash, 'utf8'), hex);
      run('veritysetup', ['verify', data, hash, hex, ...offset]);
      const dumped = await verity('dump', hash, ...offset);
      assert.equal(`${dumped.text}\n`, run('veritysetup', ['dump', hash, ...offset]));
    });
  }

  test('and we put a hash area behind data in the same file alike', async (t) => {
    const at = aDirectory(t);
    const [theirs, ours] = [at('theirs'), at('ours')];
    writeFileSync(theirs, someData(300 * 4096));
    copyFileSync(theirs, ours);
    const flags = ['--data-blocks=299', `--hash-offset=${299 * 4096}`, UUID, SALT];
    run('veritysetup', ['format', theirs, theirs, ...flags]);
    await verity('format', ours, ours, ...flags);
    const [expected, got] = [readFileSync(theirs), readFileSync(ours)];
    // They leave old data between the superblock and the tree. We clear it.
    const superblockEnd = 299 * 4096 + 512;
    expected.fill(0, superblockEnd, 300 * 4096);
    assert.ok(got.equals(expected));
  });

  test('and where they leave old bytes in and behind the hash area, we leave none', async (t) => {
    const at = aDirectory(t);
    writeFileSync(at('data'), someData(300 * 4096));
    for (const name of ['theirs', 'ours']) writeFileSync(at(name), someData(99_999));
    const flags = ['--hash-offset=8192', UUID, SALT];
    run('veritysetup', ['format', at('data'), at('theirs'), ...flags]);
    await verity('format', at('data'), at('ours'), ...flags);
    const [theirs, ours] = [readFileSync(at('theirs')), readFileSync(at('ours'))];
    theirs.fill(0, 8192 + 512, 8192 + 4096);
    assert.ok(ours.equals(theirs.subarray(0, ours.length)));
    assert.equal(ours.length, 8192 + 5 * 4096);
  });

  test('and we find the same byte corrupt', async (t) => {
    const at = aDirectory(t);
    const [data, hash, rootHash] = [at('data'), at('hash'), at('roothash')];
    const bytes = someData(300 * 4096);
    writeFileSync(data, bytes);
    await verity('format', data, hash, '--root-hash-file', rootHash);
    bytes[200 * 4096 + 77] = 0;
    writeFileSync(data, bytes);
    const theirs = attempt('veritysetup', ['verify', data, hash, readFileSync(rootHash, 'utf8')]);
    assert.notEqual(theirs.status, 0);
    assert.match(theirs.stderr, /Verification failed at position 819200\./);
    const ours = await verity('verify', data, hash, '--root-hash-file', rootHash);
    assert.equal(ours.status, 1);
    assert.equal(ours.text, `${data}: corrupt at byte 819200: data block 200`);
  });
});
