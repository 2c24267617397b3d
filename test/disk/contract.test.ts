/** The real disk and the one in memory keep the same promises. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import {
  describeDisk,
  describeFat,
  describeFullDisk,
  type Ground,
} from '../support/disk-contract.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const top = mkdtempSync(join(realpathSync(tmpdir()), 'espalier-disk-'));
const mounted: string[] = [];
after(() => {
  for (const path of mounted) execFileSync('umount', [path]);
  rmSync(top, { recursive: true });
});

function real(): Ground {
  return { disk: nodeDisk(), directory: mkdtempSync(join(top, 'd')) };
}

/** A real file system of 512 KiB. */
function small(): Ground {
  const directory = mkdtempSync(join(top, 'm'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=0700', 'tmpfs', directory]);
  mounted.push(directory);
  return { disk: nodeDisk(), directory };
}

function mayMount(): boolean {
  try {
    small();
    return true;
  } catch {
    return false;
  }
}

const memory = (): Ground => ({
  disk: new MemoryDisk({ capacity: 512 * 1024 }),
  directory: '/boot',
});

describeDisk('the real disk', real);
describeDisk('the FAT in memory', memory);
describeDisk('the store in memory', () => {
  const disk = new MemoryDisk();
  disk.makeDirectory('/nix/store');
  return { disk, directory: '/nix/store' };
});

describeFullDisk('a full disk', small, mayMount() ? false : 'needs to mount a tmpfs');
describeFullDisk('a full FAT in memory', memory, false);
describeFat('the FAT in memory is a FAT', memory);
