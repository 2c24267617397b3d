/** Initrds made in memory, and what is read from them. */
import assert from 'node:assert/strict';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { bytesSource } from '../../src/byte-source.ts';
import { type ReadSettings, readInitrd } from '../../src/initrd/archive.ts';
import type { Member } from '../../src/initrd/cpio.ts';
import type { Obstacle } from '../../src/initrd/obstacle.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';

/** Everything that was found in an initrd. */
export interface Listing {
  readonly members: readonly Member[];
  readonly paths: readonly string[];
  readonly obstacle: Obstacle | undefined;
}

/** Reads an initrd to its end. */
export async function listed(bytes: Uint8Array, settings: ReadSettings = {}): Promise<Listing> {
  const members: Member[] = [];
  let obstacle: Obstacle | undefined;
  for await (const found of readInitrd(bytesSource(bytes), settings)) {
    assert.equal(obstacle, undefined, 'nothing comes behind an obstacle');
    if (found.kind === 'member') members.push(found.member);
    else obstacle = found.obstacle;
  }
  return { members, paths: members.map(({ path }) => path), obstacle };
}

/** Pieces one behind the other. */
export function together(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** Zeros up to a multiple of four, as boot loaders put between initrds. */
export function padded(bytes: Uint8Array): Uint8Array {
  return together(bytes, new Uint8Array((4 - (bytes.length % 4)) % 4));
}

/** The ways to pack an archive that need no program. */
export const packers = {
  plain: (bytes: Uint8Array) => bytes,
  gzip: (bytes: Uint8Array) => Uint8Array.from(gzipSync(bytes)),
  zstd: (bytes: Uint8Array) => Uint8Array.from(zstdCompressSync(bytes)),
  lz4: lz4Literals,
} as const satisfies Record<string, (bytes: Uint8Array) => Uint8Array>;

const LZ4_BLOCK = 8 * 1024 * 1024;

/** LZ4's legacy frame without a single match. */
function lz4Literals(bytes: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [numbers(0x184c2102)];
  for (let at = 0; at < bytes.length; at += LZ4_BLOCK) {
    const literals = bytes.subarray(at, at + LZ4_BLOCK);
    const more = literals.length - 15;
    const length =
      more < 0
        ? Uint8Array.of(literals.length << 4)
        : Uint8Array.of(0xf0, ...new Uint8Array(Math.floor(more / 255)).fill(255), more % 255);
    blocks.push(numbers(length.length + literals.length), length, literals);
  }
  return together(...blocks);
}

/** Numbers of four bytes, the least significant first. */
export function numbers(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value, true);
  return bytes;
}

/** A frame of zstd that is `blocks` times 128 KiB of one byte, from four bytes for each. */
export function zstdBomb(blocks: number, byte: number): Uint8Array {
  // Neither sizes nor checksum are told; the window has 128 KiB.
  const frame = new Uint8Array(6 + blocks * 4);
  frame.set([0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3]);
  for (let at = 6, left = blocks; left > 0; at += 4, left--) {
    const header = ((128 * 1024) << 3) | (1 << 1) | (left === 1 ? 1 : 0);
    frame.set([header & 255, (header >> 8) & 255, header >> 16, byte], at);
  }
  return frame;
}

/** Where a kernel module that opens verity devices lies. */
export const VERITY_MODULE = 'usr/lib/modules/6.1.0/kernel/drivers/md/dm-verity.ko.xz';

/** An initrd with a file at each path. */
export function initrdOf(...paths: readonly string[]): Uint8Array {
  return packers.gzip(formatCpio(paths.map((path) => memberOf(path, 'x'))));
}
