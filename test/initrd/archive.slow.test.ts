/** Initrds as the kernel unpacks them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readInitrd } from '../../src/initrd/archive.ts';
import { formatCpio, linkOf, type Member, memberOf } from '../lab/cpio.ts';
import { listed, numbers, packers, padded, together, zstdBomb } from './an-initrd.ts';

const microcode = formatCpio([memberOf('kernel/x86/microcode/GenuineIntel.bin', 'new')]);
const MICROCODE = ['kernel', 'kernel/x86', 'kernel/x86/microcode'];
const MICROCODE_PATHS = [...MICROCODE, 'kernel/x86/microcode/GenuineIntel.bin'];
const system = formatCpio([memberOf('init', '#!/bin/sh\n', 0o755), linkOf('lib', 'usr/lib')]);
const secrets = formatCpio([memberOf('key', 'secret')]);

describe('an initrd holds the members of every archive in it', () => {
  for (const [name, pack] of Object.entries(packers)) {
    test(`microcode, then ${name}, then another one`, async () => {
      const bytes = together(microcode, padded(pack(system)), new Uint8Array(8), secrets);
      const { paths, obstacle } = await listed(bytes);
      assert.equal(obstacle, undefined);
      assert.deepEqual(paths, [...MICROCODE_PATHS, 'init', 'lib', 'key']);
    });
  }

  test('packed ones stand together without zeros between', async () => {
    const bytes = together(packers.zstd(microcode), packers.gzip(system), packers.zstd(secrets));
    const { paths, obstacle } = await listed(bytes);
    assert.equal(obstacle, undefined);
    assert.deepEqual(paths, [...MICROCODE_PATHS, 'init', 'lib', 'key']);
  });

  test('a gzip header with the name of a file', async () => {
    const packed = gzipSync(system);
    packed[3] = 8;
    const named = together(packed.subarray(0, 10), Buffer.from('initrd\0'), packed.subarray(10));
    assert.deepEqual((await listed(named)).paths, ['init', 'lib']);
  });

  test('members that follow a trailer in the same archive, and archives without one', async () => {
    const bare = system.subarray(0, system.length - 124);
    const { paths, obstacle } = await listed(packers.zstd(together(microcode, bare)));
    assert.equal(obstacle, undefined);
    assert.deepEqual(paths, [...MICROCODE_PATHS, 'init', 'lib']);
  });

  test('members of the kind with checksums', async () => {
    const sums = Uint8Array.from(system);
    sums[5] = '2'.charCodeAt(0);
    assert.deepEqual((await listed(sums)).paths, ['init', 'lib']);
  });

  test('nothing, when it is empty or all zeros', async () => {
    for (const bytes of [new Uint8Array(), new Uint8Array(100_000)])
      assert.deepEqual(await listed(bytes), { members: [], paths: [], obstacle: undefined });
  });

  test('what is asked for by name comes with its content', async () => {
    const settings = { withContent: /^ke/ };
    const { members } = await listed(packers.gzip(together(system, secrets)), settings);
    const contents = members.map(({ content }) => content && new TextDecoder().decode(content));
    assert.deepEqual(contents, [undefined, undefined, 'secret']);
  });
});

describe('where the kernel gives up, reading ends and says where', () => {
  const zeros = (count: number) => new Uint8Array(count);
  const lz4 = packers.lz4(system);
  const xz = (check: number) => Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, check);
  const cases: readonly (readonly [
    what: string,
    bytes: Uint8Array,
    kind: string,
    offset: number,
    reason: RegExp,
  ])[] = [
    ['an archive that is none', Buffer.from('hello, world'), 'damaged', 0, /bytes 68656c6c6f2c/],
    ['a header of another kind', Buffer.from(`070707${'0'.repeat(200)}`), 'damaged', 0, /"070707"/],
    ['half a header', system.subarray(0, 60), 'damaged', 0, /110 bytes of a header, got the end/],
    ['half a name', system.subarray(0, 112), 'damaged', 0, /bytes of a name, got the end/],
    ['half a member', system.subarray(0, 118), 'damaged', 0, /10 bytes of a member, got the end/],
    ['digits that are none', system.with(20, 0x78), 'damaged', 0, /8 hexadecimal digits, got/],
    ['a name without an end', system.with(114, 0x78), 'damaged', 0, /ends with NUL/],
    ['an archive that is not aligned', together(zeros(3), system), 'damaged', 3, /bytes 303730/],
    ['one behind lz4, which has no end', together(lz4, system), 'damaged', 0, /at most 8421520/],
    [
      'junk in gzip',
      packers.gzip(together(system, Buffer.from('junk'))),
      'damaged',
      0,
      /the end, got a byte 106/,
    ],
    ['gzip of extra fields', packers.gzip(system).with(3, 4), 'refused', 0, /got flags 4/],
    ['gzip of another method', packers.gzip(system).with(2, 7), 'damaged', 0, /method 8, got 7/],
    ['half of gzip', packers.gzip(system).subarray(0, 40), 'damaged', 0, /unexpected end/],
    [
      'half of zstd',
      packers.zstd(system).subarray(0, 40),
      'damaged',
      0,
      /bytes up to byte \d+, got 40/,
    ],
    ['half of lz4', lz4.subarray(0, 40), 'damaged', 0, /bytes at byte 8, got 32/],
    [
      'a match before the start',
      together(numbers(0x184c2102, 4, 0x00050000)),
      'damaged',
      0,
      /within 0/,
    ],
    ['lz4 in a modern frame', numbers(0x184d2204, 0, 0), 'refused', 0, /what lz4 -l makes/],
    ['xz with CRC64', together(microcode, xz(4)), 'refused', microcode.length, /--check=crc32/],
    ['half of xz', xz(1), 'damaged', 0, /expected 1 bytes at byte 12, got 0/],
    ['bzip2', Buffer.from('BZh91AY&SY'), 'unreadable', 0, /not supported/],
    ['lzma', Uint8Array.of(0x5d, 0, 0, 0x80, 0), 'unreadable', 0, /not supported/],
    ['lzo', Uint8Array.of(0x89, 0x4c, 0x5a, 0x4f, 0), 'unreadable', 0, /not supported/],
  ];
  for (const [what, bytes, kind, offset, reason] of cases) {
    test(what, async () => {
      const { obstacle } = await listed(Uint8Array.from(bytes));
      assert.equal(obstacle?.kind, kind, obstacle?.reason);
      assert.equal(obstacle?.offset, offset);
      assert.match(obstacle?.reason ?? '', reason);
    });
  }

  test('what lies before it is told', async () => {
    const { paths, obstacle } = await listed(together(microcode, Buffer.from('BZh9')));
    assert.deepEqual(paths, MICROCODE_PATHS);
    assert.equal(obstacle?.format, 'bzip2');
    assert.equal(obstacle?.offset, microcode.length);
  });
});

describe('a bomb', () => {
  test('ends at the limit', async () => {
    const unpackedLimit = 64 * 1024 * 1024;
    const { obstacle } = await listed(zstdBomb(4096, 0), { unpackedLimit });
    assert.equal(obstacle?.kind, 'unreadable');
    assert.match(obstacle?.reason ?? '', /at most 67108864 bytes unpacked/);
    assert.ok((obstacle?.position ?? 0) <= unpackedLimit);
  });

  test('of a member of 4 GiB that is not there ends with the archive', async () => {
    const { obstacle } = await listed(packers.zstd(header('f'.repeat(8))));
    assert.match(obstacle?.reason ?? '', /4294967295 bytes of a member, got the end/);
  });

  test('of archives in thousands ends, too', async () => {
    const { obstacle } = await listed(
      together(...Array(1001).fill(packers.zstd(new Uint8Array()))),
    );
    assert.match(obstacle?.reason ?? '', /at most 1000 archives/);
  });
});

/** A header of a file called `f`, and its name. */
function header(size: string): Uint8Array {
  const fields = ['0'.repeat(8), '000081a4', ...Array(4).fill('0'.repeat(8)), size];
  const rest = [...Array(4).fill('0'.repeat(8)), '00000002', '0'.repeat(8)];
  return Buffer.from(`070701${[...fields, ...rest].join('')}f\0`);
}

const aPath = fc
  .array(fc.stringMatching(/^[\w. ä-]{1,12}$/), { minLength: 1, maxLength: 4 })
  .map((names) => names.join('/'))
  .filter((path) => path !== 'TRAILER!!!');
const aMember: fc.Arbitrary<Member> = fc
  .tuple(aPath, fc.constantFrom(0o100644, 0o100755, 0o120777), fc.uint8Array({ maxLength: 9000 }))
  .map(([path, mode, content]) => ({ path, mode, content }));
const aPacker = fc.constantFrom(...Object.values(packers));
const anArchive = fc
  .tuple(fc.array(aMember, { maxLength: 8 }), aPacker)
  .map(([members, pack]) => ({ members, bytes: padded(pack(formatCpio(members))) }));
const someArchives = fc.array(anArchive, { minLength: 1, maxLength: 4 });

test('listing what was packed gives what was packed, however it was packed', async () => {
  await fc.assert(
    fc.asyncProperty(someArchives, async (archives) => {
      // A word of zeros: lz4 knows no other end.
      const bytes = together(...archives.flatMap((one) => [one.bytes, new Uint8Array(4)]));
      const { members, obstacle } = await listed(bytes, { withContent: /./ });
      assert.equal(obstacle, undefined);
      const files = members.filter(({ mode }) => mode >> 12 !== 4);
      const found = files.map(({ path, mode, content }) => ({ path, mode, content }));
      assert.deepEqual(
        found,
        archives.flatMap((one) => one.members),
      );
    }),
    { numRuns: 60 },
  );
});

test('whatever is in the bytes, reading ends, and every finding lies inside', async () => {
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255) });
  const edits = fc.array(edit, { maxLength: 6 });
  const cut = fc.double({ min: 0, max: 1, noNaN: true });
  await fc.assert(
    fc.asyncProperty(someArchives, edits, cut, async (archives, changes, end) => {
      const whole = together(...archives.map(({ bytes }) => bytes));
      for (const { at, byte } of changes) whole[Math.floor(at * (whole.length - 1))] = byte;
      const bytes = end < 0.5 ? whole.subarray(0, Math.ceil(2 * end * whole.length)) : whole;
      const { obstacle } = await listed(bytes, { unpackedLimit: 2 ** 24 });
      if (obstacle !== undefined) {
        assert.ok(obstacle.offset >= 0 && obstacle.offset <= bytes.length);
        assert.ok(obstacle.reason.length > 0 && obstacle.reason.length < 200, obstacle.reason);
      }
    }),
    { numRuns: 200 },
  );
});

test('an error of the disk is no finding', async () => {
  const source = {
    size: 1000,
    read: () => {
      throw new Error('I/O error');
    },
  };
  await assert.rejects(async () => {
    for await (const _ of readInitrd(source));
  }, /I\/O error/);
});
