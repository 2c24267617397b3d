/** Bytes that are no whole FAT are refused, whoever made them, and nothing is written to them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { bounds } from '../property/bounds.ts';
import { aFat, type Fat, openFat } from './a-fat.ts';
import type { Written } from './a-region.ts';

const TABLE = 32 * 512;
const CLUSTER = 512;

/** A FAT32 with `EFI/A.EFI` of two clusters and `EFI/B.EFI` of one, and where things lie in it. */
async function aSystem(): Promise<Fat & { readonly at: (text: string) => number; view: DataView }> {
  const fat = aFat(2 ** 20, { bits: 32, clusterSize: CLUSTER });
  fat.disk.makeDirectory('/boot/EFI');
  for (const [name, size] of [
    ['A.EFI', 2 * CLUSTER],
    ['B.EFI', CLUSTER],
  ] as const) {
    const file = await fat.disk.create(`/boot/EFI/${name}`);
    await file.write(new Uint8Array(size).fill(7));
    await file.finish();
  }
  return {
    ...fat,
    at: (text) => Buffer.from(fat.memory).indexOf(text, 0, 'latin1'),
    view: new DataView(fat.memory.buffer),
  };
}

type System = Awaited<ReturnType<typeof aSystem>>;

const A = 'A       EFI';
const B = 'B       EFI';
const first = ({ view, at }: System, name: string) => view.getUint16(at(name) + 26, true);
const lead = ({ view }: System, from: number, to: number) =>
  view.setUint32(TABLE + 4 * from, to, true);

/** What is wrong, how it comes about, and what is said of it. */
const DAMAGES: readonly (readonly [what: string, damage: (system: System) => void, RegExp])[] = [
  [
    'a chain that bites its tail',
    (all) => lead(all, first(all, A) + 1, first(all, A)),
    /another one's/,
  ],
  [
    'two names on one cluster',
    (all) => all.view.setUint16(all.at(B) + 26, first(all, A), true),
    /another one's/,
  ],
  ['a chain into a free cluster', (all) => lead(all, first(all, A), 1500), /is free/],
  ['a chain beyond the end', (all) => lead(all, first(all, A), 0x0100_0000), /not there/],
  ['a chain into a bad cluster', (all) => lead(all, first(all, A), 0x0fff_fff7), /bad/],
  [
    'a file beyond the end',
    (all) => all.view.setUint16(all.at(B) + 26, 0xfff0, true),
    /leads to cluster/,
  ],
  [
    'a file longer than its clusters',
    (all) => all.view.setUint32(all.at(B) + 28, 513, true),
    /513 bytes/,
  ],
  [
    'a directory that is its own parent',
    (all) => all.view.setUint16(all.at('EFI        ') + 26, 2, true),
    /another one's/,
  ],
  [
    'a directory without clusters',
    (all) => all.view.setUint16(all.at('EFI        ') + 26, 0, true),
    /leads to cluster 0/,
  ],
  ['a name with a slash', (all) => all.view.setUint8(all.at(A), 0x2f), /no name/],
  ['a mark of use in its boot sector', ({ view }) => view.setUint8(65, 1), /in use/],
  ['a mark of use in its table', (all) => lead(all, 1, 0x07ff_ffff), /in use/],
  ['more sectors than there are', ({ view }) => view.setUint16(19, 0xffff, true), /sectors/],
  ['a table that is too short', ({ view }) => view.setUint32(36, 1, true), /entries/],
  ['no sectors in a cluster', ({ view }) => view.setUint8(13, 0), /sectors in a cluster/],
  ['a root directory outside', ({ view }) => view.setUint32(44, 99_999, true), /root directory/],
];

describe('a FAT that is not whole', () => {
  for (const [what, damage, expected] of DAMAGES) {
    test(`is refused for ${what}, and left as it is`, async () => {
      const system = await aSystem();
      damage(system);
      const log: Written[] = [];
      assert.throws(
        () => openFat(system.memory, {}, log),
        (error) => {
          assert.ok(error instanceof EspError, String(error));
          assert.equal(error.code, 'FAT_MALFORMED');
          assert.match(error.message, /^\/boot/);
          assert.match(error.message, expected);
          return true;
        },
      );
      assert.deepEqual(log, []);
    });
  }

  test('can be read when it is only marked as in use', async () => {
    const system = await aSystem();
    system.view.setUint8(65, 1);
    const { disk } = openFat(system.memory, { access: 'read' });
    assert.equal(disk.read('/boot/EFI/A.EFI', 9999).length, 2 * CLUSTER);
  });

  test('is told from what is no FAT at all', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(4096), ntfs()]) {
      assert.throws(
        () => openFat(bytes),
        (error) => error instanceof EspError && error.code === 'ESP_NOT_FAT',
      );
    }
  });
});

function ntfs(): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set([0xeb, 0x52, 0x90]);
  bytes.set(Buffer.from('NTFS    '), 3);
  return bytes;
}

describe('what others leave behind', () => {
  test('the second copy of a table counts for nothing, and is made equal with the first write', async () => {
    const { memory, view } = await aSystem();
    const second = TABLE + view.getUint32(36, true) * 512;
    view.setUint32(second + 4 * 9, 5, true);
    const { disk } = openFat(memory);
    assert.equal(view.getUint32(second + 4 * 9, true), 5);
    await disk.replaceText('/boot/text', 'x');
    assert.notEqual(view.getUint32(second + 4 * 9, true), 5);
  });

  test('clusters that no name leads to are free, and bad ones are not', async () => {
    const { memory, view, disk } = await aSystem();
    const free = disk.fileSystem('/boot')?.free;
    for (const [cluster, next] of [
      [1000, 1001],
      [1001, 0x0fff_ffff],
      [1002, 0x0fff_fff7],
    ] as const) {
      view.setUint32(TABLE + 4 * cluster, next, true);
    }
    const opened = openFat(memory).disk;
    assert.equal(opened.fileSystem('/boot')?.free, (free ?? 0) - CLUSTER);
    await opened.replaceText('/boot/text', 'x');
    assert.equal(view.getUint32(TABLE + 4 * 1000, true), 0);
    assert.equal(view.getUint32(TABLE + 4 * 1002, true), 0x0fff_fff7);
  });

  test('names behind a slot that was never used are there, and are seen once all slots are closed', async () => {
    const { memory, view, at } = await aSystem();
    view.setUint8(at(A), 0);
    const { disk } = openFat(memory);
    assert.deepEqual(disk.list('/boot/EFI'), [{ name: 'B.EFI', kind: 'file' }]);
    disk.useSlots?.('/boot/EFI', 0);
    assert.equal(memory[at(B) - 32], 0xe5);
  });
});

describe('any bytes', () => {
  test('a FAT with bytes changed anywhere is opened and read, or refused by its name', async () => {
    const { memory } = await aSystem();
    const tables = 64 * 512;
    const change = fc.record({
      offset: fc.oneof(
        fc.nat(600),
        fc.nat(tables),
        fc.integer({ min: tables, max: tables + 4096 }),
      ),
      value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x0f, 0x10, 0xe5, 0xff)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
        const bytes = Uint8Array.from(memory);
        for (const { offset, value } of changes) bytes[offset] = value;
        try {
          await useAll(bytes);
        } catch (error) {
          assert.ok(error instanceof EspError, String(error));
        }
      }),
      bounds(400),
    );
  });
});

/** Opens, reads everything, writes, and opens once more: what was whole stays so. */
async function useAll(bytes: Uint8Array): Promise<void> {
  const { disk } = openFat(bytes);
  const visit = (path: string): void => {
    for (const { name, kind } of disk.list(path) ?? []) {
      if (kind === 'directory') visit(`${path}/${name}`);
      else disk.read(`${path}/${name}`, 2 ** 20);
    }
  };
  visit('/boot');
  await disk.replaceText('/boot/a new file with a long name', 'text'.repeat(500));
  openFat(bytes);
}
