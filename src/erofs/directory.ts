/** Directories of EROFS: blocks of entries with their names behind them. */
import { compareNames } from '../tree/node.ts';
import type { Child } from '../tree/tree.ts';
import { BLOCK, ENTRY, ENTRY_SIZE, ENTRY_TYPES } from './format.ts';

/** A name in a directory, and the index of its node in the tree. */
export type Name = Child;

/** Returns the names of a directory with itself and its parent, in the order of their bytes. */
export function withDots(names: readonly Name[], own: number, parent: number): readonly Name[] {
  return [
    ...names,
    { name: '.', node: own, kind: 'directory' as const },
    { name: '..', node: parent, kind: 'directory' as const },
  ].sort((a, b) => compareNames(a.name, b.name));
}

/** Returns the size of a directory in bytes: its last block ends with its last name. */
export function directorySize(names: readonly Name[]): number {
  const blocks = inBlocks(names);
  const last = blocks.at(-1) ?? [];
  return (blocks.length - 1) * BLOCK + last.reduce((sum, { name }) => sum + taken(name), 0);
}

/** Writes a directory. `numberOf` gives the number of a node's inode. */
export function writeDirectory(
  names: readonly Name[],
  numberOf: (node: number) => number,
  into: Uint8Array,
): void {
  const view = new DataView(into.buffer, into.byteOffset, into.length);
  const encoder = new TextEncoder();
  for (const [index, block] of inBlocks(names).entries()) {
    const start = index * BLOCK;
    let nameAt = block.length * ENTRY_SIZE;
    for (const [place, { name, node, kind }] of block.entries()) {
      const at = start + place * ENTRY_SIZE;
      view.setBigUint64(at + ENTRY.number, BigInt(numberOf(node)), true);
      view.setUint16(at + ENTRY.name, nameAt, true);
      view.setUint8(at + ENTRY.type, ENTRY_TYPES[kind]);
      nameAt += encoder.encodeInto(name, into.subarray(start + nameAt)).written;
    }
  }
}

function taken(name: string): number {
  return ENTRY_SIZE + Buffer.byteLength(name);
}

/** Shares names out to blocks, each with as many as fit. */
function inBlocks(names: readonly Name[]): readonly Name[][] {
  const blocks: Name[][] = [[]];
  let room = BLOCK;
  for (const name of names) {
    const size = taken(name.name);
    if (size > room) {
      blocks.push([]);
      room = BLOCK;
    }
    blocks.at(-1)?.push(name);
    room -= size;
  }
  return blocks;
}
