/** The order in which a FAT is written: what leads somewhere comes after what is there. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rootOffset } from '../../src/fat/geometry.ts';
import { FatVolume } from '../../src/fat/volume.ts';
import { aFat, type Fat } from './a-fat.ts';
import { memoryRegion, type Written } from './a-region.ts';

const CLUSTER = 512;
const TEXT = new Uint8Array(3 * CLUSTER).fill(7);

async function put({ disk }: Fat, path: string, content = TEXT): Promise<void> {
  const file = await disk.create(path);
  await file.write(content);
  await file.finish();
}

/** Where tables and data lie, for what a log says. */
function layoutOf({ memory }: Fat) {
  const region = memoryRegion(memory);
  const { geometry } = new FatVolume({ region, name: 'it', access: 'read' });
  const table = geometry.reserved * 512;
  return { table, data: rootOffset(geometry), size: geometry.tableSectors * 512 };
}

const isAt = (entry: Written | undefined, from: number, to = from + 1): boolean =>
  typeof entry === 'object' && entry.offset >= from && entry.offset < to;

const fresh = (): Fat => aFat(2 ** 20, { bits: 32, clusterSize: CLUSTER });

describe('a FAT is written so that', () => {
  test('content and table are durable before a name leads to them', async () => {
    const fat = fresh();
    const { table, data } = layoutOf(fat);
    const file = await fat.disk.create('/boot/A.EFI');
    fat.log.length = 0;
    await file.write(TEXT);
    await file.finish();
    // The name is in the first cluster, that of the root directory.
    const name = fat.log.findIndex((entry) => isAt(entry, data, data + CLUSTER));
    const last = fat.log.findLastIndex(
      (entry) => isAt(entry, data + CLUSTER, Number.POSITIVE_INFINITY) || isAt(entry, table, data),
    );
    assert.ok(last < name, 'the name comes last');
    assert.ok(fat.log.slice(0, name).some((entry) => isAt(entry, table, data)));
    assert.ok(fat.log.slice(last, name).includes('sync'));
    assert.equal(fat.log.at(-1), 'sync');
  });

  test('a barrier lies between two sectors of a rename, and the old name goes first', async () => {
    const fat = fresh();
    fat.disk.makeDirectory('/boot/EFI');
    await put(fat, '/boot/EFI/from.efi');
    // Fourteen slots fill what is left of the first sector.
    for (let index = 0; index < 7; index++) await put(fat, `/boot/EFI/f${index}.efi`);
    const [entry] = [fat.disk.stat('/boot/EFI/from.efi')];
    fat.log.length = 0;
    fat.disk.rename('/boot/EFI/from.efi', '/boot/EFI/a-name-that-is-longer-than-others.efi');
    const writes = fat.log.filter((each) => each === 'sync' || each.bytes.length === CLUSTER);
    const names = writes.filter(
      (each) => each === 'sync' || isAt(each, layoutOf(fat).data, 2 ** 20),
    );
    const [first, barrier, second] = names;
    assert.ok(isAt(first, (entry?.inode ?? 0) * 32 - (((entry?.inode ?? 0) * 32) % 512)));
    assert.equal(barrier, 'sync');
    assert.ok(typeof second === 'object');
  });

  test('a rename within one sector is one write', async () => {
    const fat = fresh();
    fat.disk.makeDirectory('/boot/EFI');
    await put(fat, '/boot/EFI/A.TMP');
    fat.log.length = 0;
    fat.disk.rename('/boot/EFI/A.TMP', '/boot/EFI/A.EFI');
    assert.equal(fat.log.length, 1);
  });

  test('a name that is replaced leads to the old file or the new one: one sector says which', async () => {
    const fat = fresh();
    fat.disk.makeDirectory('/boot/EFI');
    await put(fat, '/boot/EFI/A.EFI', new Uint8Array(CLUSTER).fill(1));
    await put(fat, '/boot/EFI/a-temporary-name-of-some-length.tmp');
    const before = Uint8Array.from(fat.memory);
    fat.log.length = 0;
    fat.disk.rename('/boot/EFI/a-temporary-name-of-some-length.tmp', '/boot/EFI/A.EFI');
    for (let count = 0; count <= fat.log.length; count++) {
      const memory = Uint8Array.from(before);
      for (const entry of fat.log.slice(0, count)) {
        if (entry !== 'sync') memory.set(entry.bytes, entry.offset);
      }
      const region = memoryRegion(memory);
      const found = new FatVolume({ region, name: 'it', access: 'write' }).file('EFI/A.EFI');
      assert.ok([CLUSTER, TEXT.length].includes(found?.size ?? 0));
    }
  });

  test('clusters of a removed file are written to only after a barrier', async () => {
    const fat = aFat(70 * 1024, { bits: 32, clusterSize: CLUSTER });
    const { free = 0 } = fat.disk.fileSystem('/boot') ?? {};
    await put(fat, '/boot/A.EFI', new Uint8Array(free).fill(1));
    fat.log.length = 0;
    fat.disk.remove('/boot/A.EFI');
    await put(fat, '/boot/B.EFI', new Uint8Array(free).fill(2));
    const { data } = layoutOf(fat);
    const content = fat.log.findIndex(
      (entry) => typeof entry === 'object' && entry.offset > data && entry.bytes[0] === 2,
    );
    assert.ok(fat.log.slice(0, content).includes('sync'));
  });

  test('both copies of the table are the same', async () => {
    const fat = fresh();
    await put(fat, '/boot/A.EFI');
    const { table, size } = layoutOf(fat);
    const [one, other] = [0, 1].map((copy) =>
      fat.memory.subarray(table + copy * size, table + (copy + 1) * size),
    );
    assert.deepEqual(one, other);
  });
});
