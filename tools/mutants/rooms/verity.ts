/** Superblock, tree and root hash of verity devices. */
import type { Mutant } from '../mutant.ts';

const SUPERBLOCK = 'test/verity/superblock.test.ts';
const TREE = 'test/verity/hash-tree.test.ts';
const CHECK = 'test/verity/check.test.ts';
const CMDLINE = 'test/verity/cmdline.test.ts';
const GPT = 'test/gpt/partition-table.test.ts';

export const verity: readonly Mutant[] = [
  {
    id: 'verity/superblock-signature',
    file: 'src/verity/superblock.ts',
    find: 'if (!SIGNATURE.every((byte, at) => bytes[at] === byte)) {',
    replace: 'if (!SIGNATURE.some((byte, at) => bytes[at] === byte)) {',
    killedBy: { file: SUPERBLOCK, title: /is refused: signature/ },
    why: 'Any bytes at the hash offset would be read as the parameters of a tree.',
  },
  {
    id: 'verity/superblock-salt-size',
    file: 'src/verity/superblock.ts',
    find: 'saltSize <= MAX_SALT);',
    replace: 'saltSize <= MAX_SALT + 1);',
    killedBy: { file: SUPERBLOCK, title: /has a salt of at most 256 bytes/ },
    why: 'A tree would be made that the kernel does not open.',
  },
  {
    id: 'verity/superblock-hash-type',
    file: 'src/verity/superblock.ts',
    find: 'hashType === HASH_TYPE);',
    replace: 'hashType <= HASH_TYPE);',
    killedBy: { file: SUPERBLOCK, title: /is refused: hash type/ },
    why: 'A tree of Chrome OS would be judged by the wrong rule and called damaged.',
  },
  {
    id: 'verity/superblock-short',
    file: 'src/verity/superblock.ts',
    find: 'if (bytes.length < SUPERBLOCK_SIZE) {',
    replace: 'if (bytes.length < SUPERBLOCK_SIZE - 1) {',
    killedBy: {
      file: SUPERBLOCK,
      title: /is found in the last 512 bytes of a file, and not in 511/,
    },
    why: 'A partition that is cut short would be taken for a whole one.',
  },
  {
    id: 'verity/tree-block-not-cleared',
    file: 'src/verity/hash-tree.ts',
    find: 'level.block.fill(0);',
    replace: '',
    killedBy: { file: TREE, title: /over 129 blocks has the root hash/ },
    why: 'The kernel would refuse a root file system that we made the tree for.',
  },
  {
    id: 'verity/root-hash-not-compared',
    file: 'src/verity/check.ts',
    find: "if (isSame(got, rootHash)) return { kind: 'intact' };",
    replace: "if (got.length === rootHash.length) return { kind: 'intact' };",
    killedBy: { file: CHECK, title: /of another tree, or of a single other block/ },
    why: 'An entry would be called fine whose root hash the kernel refuses.',
  },
  {
    id: 'verity/data-not-checked',
    file: 'src/verity/check.ts',
    find: 'if (at !== undefined) {',
    replace: 'if (at !== undefined && at < 0) {',
    killedBy: { file: CHECK, title: /names the first data block of which a bit is different/ },
    why: 'A damaged root file system would be called intact.',
  },
  {
    id: 'verity/short-data-unseen',
    file: 'src/verity/check.ts',
    find: 'if (data.size < size) return',
    replace: 'if (data.size < 0) return',
    killedBy: { file: CHECK, title: /says which of the two is too short/ },
    why: 'A partition that is too small would end a run with an error that says nothing.',
  },
  {
    id: 'verity/cmdline-contradiction',
    file: 'src/verity/cmdline.ts',
    find: 'if (said === undefined || said === value) return said === undefined;',
    replace: 'if (said === undefined || said !== value) return said === undefined;',
    killedBy: { file: CMDLINE, title: /that says another hash is refused, naming both/ },
    why: 'The kernel would take another root hash than the one that was verified.',
  },
  {
    id: 'verity/cmdline-first-counts',
    file: 'src/verity/cmdline.ts',
    find: "word.replaceAll('\"', '')",
    replace: 'word',
    killedBy: { file: CMDLINE, title: /has the hash of a word that is in quotes as a whole/ },
    why: 'A hash in quotes would be missed, and a second one added behind it.',
  },
  {
    id: 'verity/gpt-checksum',
    file: 'src/gpt/partition-table.ts',
    find: "[isWhole(bytes, header), 'its header has another checksum'],",
    replace: '',
    killedBy: { file: GPT, title: /is read from its backup when the primary copy is damaged/ },
    why: 'Partitions would be looked for where a damaged table says that they are.',
  },
];
