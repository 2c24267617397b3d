/** The hash tree over the digests of the data, made in one pass: each level as long as one block in memory. */
import { digestSize } from './algorithm.ts';
import { blockHasher } from './block-hasher.ts';
import { type HashArea, hashArea, type Level } from './hash-area.ts';
import type { Parameters } from './superblock.ts';

/** Bytes and where they go; they are valid until the next ones are asked for. */
export interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Yields what is to be written for the tree above the data, whose digests come in order and in pieces
 * of any number, and returns the root hash. The superblock is not part of it.
 */
export async function* hashTree(
  parameters: Parameters,
  offset: number,
  digestsOfData: AsyncIterable<Uint8Array>,
): AsyncGenerator<Write, Uint8Array> {
  const tree = growingTree(parameters, hashArea(parameters, offset));
  for await (const digests of digestsOfData) yield* tree.add(digests);
  return yield* tree.finish();
}

function growingTree(parameters: Parameters, { levels, slotSize }: HashArea) {
  const { algorithm, salt, hashBlockSize } = parameters;
  const size = digestSize(algorithm);
  const hasher = blockHasher({ algorithm, salt, blockSize: hashBlockSize });
  const open = levels.map((level) => openLevel(level, hashBlockSize));
  let root = new Uint8Array(size);

  /** Puts digests on a level; whatever block they fill gets a digest on the level above. */
  function* add(digests: Uint8Array, height = 0): Generator<Write> {
    const level = open[height];
    if (level === undefined) root = Uint8Array.from(digests);
    else {
      for (let at = 0; at < digests.length; at += size) {
        level.block.set(digests.subarray(at, at + size), level.used);
        level.used += slotSize;
        if (level.used === hashBlockSize) yield* close(height);
      }
    }
  }

  function* close(height: number): Generator<Write> {
    const level = open[height];
    if (level === undefined || level.used === 0) return;
    yield { offset: level.offset, bytes: level.block };
    const digest = hasher(level.block);
    level.offset += hashBlockSize;
    level.block.fill(0);
    level.used = 0;
    yield* add(digest, height + 1);
  }

  function* finish(): Generator<Write, Uint8Array> {
    for (const height of open.keys()) yield* close(height);
    return root;
  }
  return { add, finish };
}

/** A level that is being made: the block that is not full yet, and where it goes. */
function openLevel({ offset }: Level, hashBlockSize: number) {
  return { offset, used: 0, block: new Uint8Array(hashBlockSize) };
}
