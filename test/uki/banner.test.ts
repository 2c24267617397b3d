/** The release of kernels that have no header for it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { bannerRelease } from '../../src/uki/banner.ts';
import { packers, together } from '../initrd/an-initrd.ts';
import { countingBytes } from '../pe/a-pe.ts';
import { aBanner, aPlainKernel, aZbootKernel } from './a-kernel.ts';

const text = (value: string) => new TextEncoder().encode(value);
const releaseOf = (bytes: Uint8Array) => bannerRelease(bytesSource(bytes));

/** A kernel with other bytes around its banner. */
const content = (before: number, release = '6.12.3-arm64+1') =>
  together(countingBytes(before), text(`\0${aBanner(release)}\0`), countingBytes(5000));

test('the release is in the banner, wherever that lies', async () => {
  for (const before of [0, 3000, 64 * 1024 - 1000, 64 * 1024 - 560, 64 * 1024 - 520, 300_000]) {
    assert.equal(await releaseOf(aPlainKernel(content(before))), '6.12.3-arm64+1', `${before}`);
  }
});

test('a kernel that unpacks itself is looked into', async () => {
  // Behind what most methods make, zboot puts the size.
  const methods = ['gzip', 'zstd', 'lz4'] as const;
  for (const method of methods) {
    const packed = together(packers[method](content(100_000)), Uint8Array.of(1, 2, 3, 0));
    assert.equal(await releaseOf(aZbootKernel(packed, method)), '6.12.3-arm64+1', method);
  }
});

test('what has no banner, or cannot be unpacked, has no release', async () => {
  const zstd = Uint8Array.from(zstdCompressSync(content(100)));
  const kernels = [
    new Uint8Array(),
    aPlainKernel(countingBytes(100_000)),
    aPlainKernel(text('Linux version %s (%s)')),
    aPlainKernel(text(`Linux version ${'6'.repeat(200)} (x)`)),
    aZbootKernel(text(aBanner('6.1')), 'xzkern'),
    aZbootKernel(zstd.subarray(0, 30), 'zstd').subarray(0, 700),
    aZbootKernel(Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 1), 'xz22'),
  ];
  for (const bytes of kernels) assert.equal(await releaseOf(bytes), undefined);
});

test('whatever a header says, reading ends, and within the file', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 0xffff_ffff }), fc.uint8Array(), async (offset, tail) => {
      const bytes = together(aZbootKernel(text('x'), 'gzip'), tail);
      new DataView(bytes.buffer).setUint32(8, offset, true);
      assert.equal(await releaseOf(bytes), undefined);
    }),
  );
});
