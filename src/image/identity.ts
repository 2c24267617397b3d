/** Identifiers that systemd-repart derives from a seed (systemd-repart(8) `--seed=`). */
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { type Guid, parseGuid } from '../guid.ts';
import { formatUuid, parseUuid, uuidFrom } from '../verity/uuid.ts';

/** Sixteen bytes in the order of their text. */
export type Seed = Uint8Array;

/** Returns the GUID of the disk. */
export function diskUuid(seed: Seed): Guid {
  return derived(seed, 'disk-uuid');
}

/**
 * Returns the GUID of a partition.
 * @param earlier how many partitions of its type come before it
 */
export function partitionUuid(seed: Seed, type: Guid, earlier: number): Guid {
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(earlier));
  const name = Buffer.from(parseUuid(type) ?? []);
  return derived(seed, earlier === 0 ? name : Buffer.concat([name, count]));
}

/** Returns the UUID of the file system in a partition, whose GUID is the one derived from the seed. */
export function fileSystemUuid(partition: Guid): Guid {
  return derived(parseUuid(partition) ?? new Uint8Array(), 'file-system-uuid');
}

function derived(key: Uint8Array, purpose: string | Uint8Array): Guid {
  const digest = createHmac('sha256', key).update(purpose).digest();
  return asGuid(formatUuid(uuidFrom(digest)));
}

/** Returns text that is known to be a UUID as a GUID. */
export function asGuid(text: string): Guid {
  const guid = parseGuid(text);
  if (guid === undefined) throw new Error(`expected a UUID, got ${text}`);
  return guid;
}
