/** What veritysetup prints of a hash area: the names of its fields, and how they stand on the line. */
import { bytesToHex } from '@noble/hashes/utils.js';
import { hashArea } from './hash-area.ts';
import type { Superblock } from './superblock.ts';
import { formatUuid } from './uuid.ts';

/** What is known of a hash area: its superblock, where that lies in bytes, and maybe its root hash. */
export interface Header {
  readonly superblock: Superblock;
  readonly offset: number;
  readonly rootHash?: Uint8Array;
}

/** Returns a header as `veritysetup dump` shows it, and with a root hash as `veritysetup format` does. */
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
    // Of an area behind data this would not be the device's size, and is left out.
    ...(offset === 0
      ? [['Hash device size: ', `${(treeBlocks + 1) * hashBlockSize} [bytes]`] as const]
      : []),
  ];
  return [
    `VERITY header information for ${file}`,
    ...fields.map(([name, value]) => `${name}\t${value}`),
  ].join('\n');
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
