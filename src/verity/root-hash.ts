/** Root hashes: which file system each protects, and what follows from it. */
import { hexToBytes } from '@noble/hashes/utils.js';
import * as v from 'valibot';
import { EspError } from '../error.ts';
import type { Designator } from '../gpt/partition-type.ts';
import type { Superblock } from './superblock.ts';
import { formatUuid } from './uuid.ts';

/** A root hash, and what its source says about it. */
export interface RootHash {
  /** Lower-case hexadecimal. */
  readonly hex: string;
  readonly designator: Designator | 'unknown';
  /** The architecture as systemd writes it in partition type names. */
  readonly architecture?: string;
  readonly superblock?: Superblock;
}

/**
 * systemd takes the UUIDs of both partitions from a root hash, which must hold at least one UUID.
 */
const MIN_DIGITS = 32;
/** The length of SHA-512, the longest digest. */
const MAX_DIGITS = 128;

/** Returns whether text is a root hash in hexadecimal: 16 to 64 whole bytes. */
export function isRootHash(text: string): boolean {
  const { length } = text;
  return /^([0-9a-f]{2})+$/i.test(text) && length >= MIN_DIGITS && length <= MAX_DIGITS;
}

/** A root hash in a JSON document; comes out in lower case. */
export const rootHashText = v.pipe(
  v.string('expected a root hash'),
  v.check(isRootHash, 'expected a root hash in hexadecimal'),
  v.toLowerCase(),
);

/** The partitions that a root hash alone identifies: UUIDs as text. */
export interface PartitionUuids {
  readonly data: string;
  readonly hash: string;
}

/** Returns the UUIDs of a root hash's partitions: its first and its last 16 bytes. */
export function partitionUuids(hex: string): PartitionUuids {
  const bytes = hexToBytes(hex);
  return { data: formatUuid(bytes.subarray(0, 16)), hash: formatUuid(bytes.subarray(-16)) };
}

/**
 * Returns the one root hash that is meant: the one for `designator` where given. A hash of an
 * unknown file system matches any designator.
 * @throws {CONFIG_INVALID} when there is none, or more than one
 */
export function chooseRootHash(
  found: readonly RootHash[],
  designator: Designator | undefined,
  name: string,
): RootHash {
  const fitting = found.filter(
    (rootHash) => designator === undefined || ['unknown', designator].includes(rootHash.designator),
  );
  const [only] = fitting;
  if (fitting.length === 1 && only !== undefined) {
    return { ...only, designator: designator ?? only.designator };
  }
  const got = fitting.map(({ designator: of, architecture, hex }) =>
    [of, architecture, hex].filter((part) => part !== undefined).join(' '),
  );
  throw new EspError(
    'CONFIG_INVALID',
    `${name}: expected one root hash${designator ? ` for ${designator}` : ''}, got ${got.join(', ') || 'none'}`,
    { hint: got.length > 1 ? 'say whether it is for root or usr' : 'name another source' },
  );
}
