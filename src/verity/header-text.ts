/** Formats and parses what veritysetup prints about a hash area. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import { isAlgorithm } from './algorithm.ts';
import { hashArea } from './hash-area.ts';
import { isRootHash } from './root-hash.ts';
import { isBlockSize, type Superblock } from './superblock.ts';
import { formatUuid, parseUuid } from './uuid.ts';

/**
 * What is known of a hash area: its superblock, its offset in bytes, and possibly its root hash.
 */
export interface Header {
  readonly superblock: Superblock;
  readonly offset: number;
  readonly rootHash?: Uint8Array;
}

/**
 * Returns a header as `veritysetup dump` prints it; with a root hash, as `veritysetup format` does.
 */
export function formatHeader({ superblock, offset, rootHash }: Header, file: string): string {
  const { treeBlocks } = hashArea(superblock, offset);
  const { hashBlockSize, salt } = superblock;
  const fields: readonly (readonly [name: string, value: string | number])[] = [
    ['UUID:            ', formatUuid(superblock.uuid)],
    ['Hash type:       ', 1],
    ['Data blocks:     ', superblock.dataBlocks],
    ['Data block size: ', superblock.dataBlockSize],
    ['Hash blocks:     ', treeBlocks],
    ['Hash block size: ', hashBlockSize],
    ['Hash algorithm:  ', superblock.algorithm],
    ['Salt:            ', bytesToHex(salt) || '-'],
    ...(rootHash ? [['Root hash:      ', bytesToHex(rootHash)] as const] : []),
    // The end of an area behind data is not the device's size, so this line is left out.
    ...(offset === 0
      ? [['Hash device size: ', `${(treeBlocks + 1) * hashBlockSize} [bytes]`] as const]
      : []),
  ];
  return [
    `VERITY header information for ${file}`,
    ...fields.map(([name, value]) => `${name}\t${value}`),
  ].join('\n');
}

/** The parsed text. The output of `dump` has no root hash. */
export interface HeaderText {
  readonly rootHash?: string;
  /** Present when every field of a superblock is there and valid. */
  readonly superblock?: Superblock;
}

/** Parses the output of `veritysetup format` or `veritysetup dump`. */
export function parseHeader(text: string): HeaderText {
  const fields = new Map(
    [...text.matchAll(/^([A-Z][A-Za-z ]+):[ \t]+(\S+)/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  );
  const field = (name: string) => fields.get(name) ?? '';
  const rootHash = field('Root hash').toLowerCase();
  const superblock = superblockOf(field);
  return { ...(isRootHash(rootHash) && { rootHash }), ...(superblock && { superblock }) };
}

function superblockOf(field: (name: string) => string): Superblock | undefined {
  const algorithm = field('Hash algorithm').toLowerCase();
  const uuid = parseUuid(field('UUID'));
  const dataBlockSize = Number(field('Data block size'));
  const hashBlockSize = Number(field('Hash block size'));
  const dataBlocks = Number(field('Data blocks'));
  const saltText = field('Salt');
  const isWhole =
    field('Hash type') === '1' &&
    isBlockSize(dataBlockSize) &&
    isBlockSize(hashBlockSize) &&
    Number.isSafeInteger(dataBlocks) &&
    dataBlocks > 0 &&
    /^(-|([0-9a-f]{2}){1,256})$/i.test(saltText);
  if (!isWhole || uuid === undefined || !isAlgorithm(algorithm)) return undefined;
  const salt = hexToBytes(saltText === '-' ? '' : saltText);
  return { algorithm, dataBlockSize, hashBlockSize, dataBlocks, salt, uuid };
}

/** Returns a header as plain data for a JSON document. */
export function headerDocument({ superblock, offset, rootHash }: Header) {
  return {
    uuid: formatUuid(superblock.uuid),
    hashType: 1,
    dataBlocks: superblock.dataBlocks,
    dataBlockSize: superblock.dataBlockSize,
    hashBlocks: hashArea(superblock, offset).treeBlocks,
    hashBlockSize: superblock.hashBlockSize,
    hashAlgorithm: superblock.algorithm,
    salt: bytesToHex(superblock.salt),
    hashOffset: offset,
    ...(rootHash && { rootHash: bytesToHex(rootHash) }),
  };
}
