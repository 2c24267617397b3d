/** A FAT in a file keeps the promises of every disk. */
import {
  describeDisk,
  describeFat,
  describeFullDisk,
  type Ground,
} from '../support/disk-contract.ts';
import { aFat } from './a-fat.ts';

const small = (): Ground => ({ disk: aFat(512 * 1024).disk, directory: '/boot' });

describeDisk('a FAT in a file', small);
describeFullDisk('a full FAT in a file', small, false);
describeFat('a FAT in a file is a FAT', small);
describeDisk('a FAT32 in a file', () => ({
  disk: aFat(2 ** 20, { bits: 32 }).disk,
  directory: '/boot',
}));
