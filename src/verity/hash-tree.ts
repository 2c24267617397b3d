/**
 * Builds the hash tree over the digests of the data in one pass, with one block per level in
 * memory.
 */
import { digestSize } from './algorithm.ts';
import { blockHasher } from './block-hasher.ts';
import { hashArea, type Level } from './hash-area.ts';
import type { Parameters } from './superblock.ts';

/** Bytes and their offset. They are valid until the next write is requested. */
export interface Write {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Yields the writes of the tree above the data, and returns the root hash. The data's digests
 * arrive in slots, in order and in pieces of any length. The superblock is not included.
 */
export async function* hashTree(
  parameters: Parameters,
  offset: number,
  digestsOfData: AsyncIterable<Uint8Array>,
): AsyncGenerator<Write, Uint8Array> {
  const tree = growingTree(parameters, hashArea(parameters, offset).levels);
  for await (const slots of digestsOfData) yield* tree.add(slots);
  return yield* tree.finish();
}

function growingTree(parameters: Parameters, levels: readonly Level[]) {
  const { algorithm, salt, hashBlockSize } = parameters;
  const hasher = blockHasher({ algorithm, salt, blockSize: hashBlockSize }, hashBlockSize);
  const open = levels.map((level) => openLevel(level, hashBlockSize));
  let root: Uint8Array = new Uint8Array();

  /** Adds slots to a level. Each block that they fill adds a slot to the level above. */
  function* add(slots: Uint8Array, height = 0): Generator<Write> {
    const level = open[height];
    if (level === undefined) {
      root = slots.slice(0, digestSize(algorithm));
      return;
    }
    for (let at = 0; at < slots.length; ) {
      const part = slots.subarray(at, at + hashBlockSize - level.used);
      level.block.set(part, level.used);
      level.used += part.length;
      at += part.length;
      if (level.used === hashBlockSize) yield* close(height);
    }
  }

  function* close(height: number): Generator<Write> {
    const level = open[height];
    if (level === undefined || level.used === 0) return;
    yield { offset: level.offset, bytes: level.block };
    hasher.memory.set(level.block);
    level.offset += hashBlockSize;
    level.block.fill(0);
    level.used = 0;
    yield* add(hasher.digest(hashBlockSize), height + 1);
  }

  function* finish(): Generator<Write, Uint8Array> {
    for (const height of open.keys()) yield* close(height);
    return root;
  }
  return { add, finish };
}

/** A level that is being built: its unfinished block, and that block's offset. */
function openLevel({ offset }: Level, hashBlockSize: number) {
  return { offset, used: 0, block: new Uint8Array(hashBlockSize) };
}
