/** Computes root hashes: of data, and of data with the hash area that was made for them. */
import { bytesToHex } from '@noble/hashes/utils.js';
import { EspError } from '../error.ts';
import { checkAll, type Pair, topDigest } from './check.ts';
import { dataDigests, type Labour } from './data-digests.ts';
import type { BlockSource } from './data-pieces.ts';
import { describeFinding } from './finding.ts';
import { hashTree } from './hash-tree.ts';
import type { RootHash } from './root-hash.ts';
import { type Parameters, readSuperblock } from './superblock.ts';

/** Returns the root hash of data with these parameters. Writes nothing. */
export async function rootHashOfData(
  data: BlockSource,
  parameters: Parameters,
  labour: Labour,
): Promise<RootHash> {
  const tree = hashTree(parameters, 0, dataDigests(data, parameters, labour));
  let step = await tree.next();
  while (!step.done) step = await tree.next();
  return { hex: bytesToHex(step.value), designator: 'unknown' };
}

/**
 * Returns the root hash of a hash area after checking that all data belong to it. `name` is the
 * hash area's file, and `offset` its place in that file in bytes.
 * @throws {VERITY_MALFORMED} when there is no superblock, or something is corrupt or missing
 */
export async function rootHashOfPair(
  { data, hash, offset }: Omit<Pair, 'parameters'>,
  name: string,
  labour: Labour,
): Promise<RootHash> {
  const superblock = readSuperblock(hash, offset, name);
  const pair = { data, hash, parameters: superblock, offset };
  const top = topDigest(pair);
  const finding = top instanceof Uint8Array ? await checkAll(pair, top, labour) : top;
  if (top instanceof Uint8Array && finding.kind === 'intact') {
    return { hex: bytesToHex(top), designator: 'unknown', superblock };
  }
  throw new EspError('VERITY_MALFORMED', describeFinding(finding, labour.name, name));
}
