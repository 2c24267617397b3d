/** Archives of the same files are the same bytes, whenever and wherever they were made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { steadyArchive } from '../../src/initrd/steady-archive.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { listed, packers, padded, together } from './an-initrd.ts';

/** An archive as it is made at a time, in seconds, with inode numbers from one on. */
function made(modified: number, inode: number, device = 0): Uint8Array {
  const members = ['etc/key', 'etc/other'].map((path) => ({
    ...memberOf(path, 'secret'),
    modified,
  }));
  const text = Buffer.from(formatCpio(members)).toString('latin1');
  const moved = text.replace(/07070[12]([0-9a-f]{8})/g, (whole, digits: string) => {
    const number = Number.parseInt(digits, 16);
    return number === 0 ? whole : `070701${(number + inode).toString(16).padStart(8, '0')}`;
  });
  const header = /(070701[0-9a-f]{56})([0-9a-f]{8})([0-9a-f]{8})/g;
  const device8 = device.toString(16).padStart(8, '0');
  return Uint8Array.from(Buffer.from(moved.replace(header, `$1$2${device8}`), 'latin1'));
}

for (const [name, pack] of Object.entries(packers)) {
  test(`times, inodes and devices do not tell two ${name} archives apart`, async () => {
    const first = await steadyArchive(pack(made(1, 7)), 4096);
    const second = await steadyArchive(pack(made(1_800_000_000, 99, 41)), 4096);
    assert.ok(first);
    assert.deepEqual(second, first);
    const { paths, obstacle } = await listed(first);
    assert.deepEqual(paths, ['etc', 'etc/key', 'etc/other']);
    assert.equal(obstacle, undefined);
  });

  test(`another content stays another one in a ${name} archive`, async () => {
    const of = (text: string) => steadyArchive(pack(formatCpio([memberOf('key', text)])), 0);
    assert.notDeepEqual(await of('one'), await of('two'));
  });
}

test('what is unpacked begins at a multiple of four, as the kernel wants it', async () => {
  const initrd = packers.gzip(formatCpio([memberOf('init', 'first')]));
  for (const odd of [0, 1, 2, 3]) {
    const before = together(
      initrd,
      new Uint8Array((4 - (initrd.length % 4)) % 4),
      new Uint8Array(odd),
    );
    const appended = await steadyArchive(packers.gzip(made(1, 1)), before.length);
    assert.ok(appended);
    const { paths, obstacle } = await listed(together(before, appended));
    assert.equal(obstacle, undefined);
    assert.deepEqual(paths, ['init', 'etc', 'etc/key', 'etc/other']);
  }
});

test('several archives are read one after the other, with the zeros between them', async () => {
  const both = (time: number) =>
    together(padded(packers.gzip(made(time, time))), new Uint8Array(512), made(time, time));
  const steady = await steadyArchive(both(3), 0);
  assert.ok(steady);
  assert.deepEqual(await steadyArchive(both(4), 0), steady);
  assert.equal((await listed(steady)).paths.length, 6);
});

test('two names of one file stay two names of one file', async () => {
  const same = made(1, 0);
  const text = Buffer.from(same).toString('latin1').replace('07070100000003', '07070100000002');
  const steady = await steadyArchive(Uint8Array.from(Buffer.from(text, 'latin1')), 0);
  const inodes = Buffer.from(steady ?? [])
    .toString('latin1')
    .matchAll(/070701([0-9A-F]{8})/g);
  assert.deepEqual(
    [...inodes].map(([, inode]) => Number.parseInt(inode ?? '', 16)),
    [1, 2, 2, 0],
  );
});

for (const [what, bytes] of Object.entries({
  'a text': Buffer.from('secret\n'),
  'an archive that is cut short': made(1, 1).subarray(0, 150),
  'an archive with a text behind it': together(made(1, 1), Buffer.from('more')),
  'bytes that are packed and no archive': packers.gzip(Buffer.from('secret')),
  'what nobody here can unpack': Buffer.from('BZh91AY&SY'),
})) {
  test(`${what} is left as it is`, async () => {
    assert.equal(await steadyArchive(Uint8Array.from(bytes), 0), undefined);
  });
}

test('whatever the bytes are, it ends', async () => {
  const plain = made(1, 1);
  await fc.assert(
    fc.asyncProperty(fc.nat(plain.length - 1), fc.nat(255), async (at, byte) => {
      const bytes = Uint8Array.from(plain);
      bytes[at] = byte;
      const once = await steadyArchive(bytes, 0);
      if (once) assert.deepEqual(await steadyArchive(once, 0), once);
    }),
    { numRuns: 300 },
  );
});
