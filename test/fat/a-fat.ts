/** Small FATs for tests, in memory. */
import { type FatDisk, type FatMount, fatDisk } from '../../src/disk/fat-disk.ts';
import { formatFat } from '../../src/fat/format.ts';
import { mkfsGeometry, type Wanted } from '../../src/fat/geometry.ts';
import { memoryRegion, type Written } from './a-region.ts';

/** 2026-01-02 03:04:06 UTC. */
const EPOCH = Date.UTC(2026, 0, 2, 3, 4, 6) / 1000;

/** An empty FAT and the bytes of it. */
export interface Fat extends FatDisk {
  readonly memory: Uint8Array;
  readonly log: Written[];
}

/** Makes an empty FAT of `size` bytes, which is shown at `/boot`. */
export function aFat(size: number, wanted: Wanted = {}, log: Written[] = []): Fat {
  const memory = new Uint8Array(size);
  const region = memoryRegion(memory);
  const geometry = mkfsGeometry(size, wanted);
  formatFat({ region, geometry, label: 'ESP', volumeId: 0x1234_abcd, epoch: EPOCH });
  return { ...openFat(memory, {}, log), memory, log };
}

/** Opens what lies in memory. */
export function openFat(
  memory: Uint8Array,
  given: Partial<FatMount> = {},
  log: Written[] = [],
): FatDisk {
  return fatDisk({
    region: memoryRegion(memory, log),
    root: '/boot',
    access: 'write',
    epoch: EPOCH,
    durable: true,
    file: () => ({ device: 1, inode: 2, uid: process.getuid?.() ?? 0, mode: 0o700 }),
    ...given,
  });
}
