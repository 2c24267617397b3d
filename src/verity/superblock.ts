/** The superblock of dm-verity, version 1: 512 bytes that describe a hash area (cryptsetup §verity). */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { ALGORITHMS, type Algorithm, isAlgorithm } from './algorithm.ts';

/** The parameters of a hash area. Sizes in bytes. */
export interface Parameters {
  readonly algorithm: Algorithm;
  readonly dataBlockSize: number;
  readonly hashBlockSize: number;
  readonly dataBlocks: number;
  /** At most 256 bytes, hashed before each block. */
  readonly salt: Uint8Array;
}

export interface Superblock extends Parameters {
  /** Sixteen bytes in the order of their text. */
  readonly uuid: Uint8Array;
}

export const SUPERBLOCK_SIZE = 512;
export const MAX_SALT = 256;

const SIGNATURE = new TextEncoder().encode('verity\0\0');
const VERSION = 1;
/**
 * In type 1 the salt comes before the block. Type 0, with the salt behind it, is for Chrome OS
 * alone.
 */
const HASH_TYPE = 1;

const AT = {
  version: 8,
  hashType: 12,
  uuid: 16,
  algorithm: 32,
  dataBlockSize: 64,
  hashBlockSize: 68,
  dataBlocks: 72,
  saltSize: 80,
  salt: 88,
} as const;
const ALGORITHM_SIZE = AT.dataBlockSize - AT.algorithm;

const MIN_BLOCK = 512;
const MAX_BLOCK = 512 * 1024;

/** Returns whether a block may have this size in bytes: a power of two from 512 to 524288. */
export function isBlockSize(size: number): boolean {
  return size >= MIN_BLOCK && size <= MAX_BLOCK && Number.isInteger(Math.log2(size));
}

/** Returns the 512 bytes of a superblock. */
export function formatSuperblock(superblock: Superblock): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set(SIGNATURE);
  view.setUint32(AT.version, VERSION, true);
  view.setUint32(AT.hashType, HASH_TYPE, true);
  bytes.set(superblock.uuid, AT.uuid);
  bytes.set(new TextEncoder().encode(superblock.algorithm), AT.algorithm);
  view.setUint32(AT.dataBlockSize, superblock.dataBlockSize, true);
  view.setUint32(AT.hashBlockSize, superblock.hashBlockSize, true);
  view.setBigUint64(AT.dataBlocks, BigInt(superblock.dataBlocks), true);
  view.setUint16(AT.saltSize, superblock.salt.length, true);
  bytes.set(superblock.salt, AT.salt);
  return bytes;
}

/**
 * Returns the superblock at an offset. `name` is the file's name in errors.
 * @throws {VERITY_MALFORMED} when there is none that this program and the kernel understand
 */
export function readSuperblock(source: ByteSource, offset: number, name: string): Superblock {
  const bytes = Uint8Array.from(source.read(offset, SUPERBLOCK_SIZE));
  const malformed = (field: string, expected: string, got: unknown): EspError =>
    new EspError(
      'VERITY_MALFORMED',
      `${name}: verity superblock at offset ${offset}: ${field}: expected ${expected}, got ${got}`,
      { hint: 'check the file and the hash offset' },
    );
  if (bytes.length < SUPERBLOCK_SIZE) {
    throw malformed('size', `${SUPERBLOCK_SIZE} bytes`, `${bytes.length}`);
  }
  if (!SIGNATURE.every((byte, at) => bytes[at] === byte)) {
    throw malformed('signature', '"verity"', 'something else');
  }
  const view = new DataView(bytes.buffer);
  const check = <T>(field: string, expected: string, value: T, isGood: boolean): T => {
    if (isGood) return value;
    throw malformed(field, expected, JSON.stringify(value));
  };
  const version = view.getUint32(AT.version, true);
  check('version', `${VERSION}`, version, version === VERSION);
  const hashType = view.getUint32(AT.hashType, true);
  check('hash type', `${HASH_TYPE}`, hashType, hashType === HASH_TYPE);
  const algorithm = textOf(bytes.subarray(AT.algorithm, AT.algorithm + ALGORITHM_SIZE));
  if (!isAlgorithm(algorithm)) {
    throw malformed('hash algorithm', `one of ${ALGORITHMS}`, JSON.stringify(algorithm));
  }
  const blockSize = (field: string, at: number): number => {
    const size = view.getUint32(at, true);
    return check(field, 'a power of two from 512 to 524288', size, isBlockSize(size));
  };
  const dataBlockSize = blockSize('data block size', AT.dataBlockSize);
  const dataBlocks = Number(view.getBigUint64(AT.dataBlocks, true));
  const saltSize = view.getUint16(AT.saltSize, true);
  check('salt size', `at most ${MAX_SALT}`, saltSize, saltSize <= MAX_SALT);
  return {
    algorithm,
    dataBlockSize,
    hashBlockSize: blockSize('hash block size', AT.hashBlockSize),
    dataBlocks: check(
      'data blocks',
      'from 1 to 8 PiB of them',
      dataBlocks,
      dataBlocks >= 1 && dataBlocks * dataBlockSize <= Number.MAX_SAFE_INTEGER,
    ),
    salt: bytes.slice(AT.salt, AT.salt + saltSize),
    uuid: bytes.slice(AT.uuid, AT.uuid + 16),
  };
}

/** Returns text up to its first NUL. Whoever shows it escapes other control characters. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end));
}
