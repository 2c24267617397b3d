/** Which old files go early when space is short: as few as are enough, to the byte. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type EspPath, espPath } from '../../src/esp/layout.ts';
import { freeFirst } from '../../src/plan/free-first.ts';
import { keyOf, type OwnFile } from '../../src/plan/present.ts';

const CLUSTER = 4096;

const aFile = (role: 'entry' | 'blob', name: string, difference: Partial<OwnFile>): OwnFile => ({
  role,
  path: espPath('EFI', 'Linux', name),
  size: CLUSTER,
  generation: 0,
  references: [],
  outside: [],
  cmdline: '',
  sections: [],
  damage: undefined,
  ...difference,
});
const anEntry = (generation: number, references: readonly EspPath[] = []) =>
  aFile('entry', `generation-${generation}.efi`, { generation, references });

const NEWEST = anEntry(9);

/** Names of what goes first of these files, besides an entry that is not stale and boots. */
function goes(missing: number, stale: readonly OwnFile[], alive = [NEWEST]): unknown {
  const own = new Map([...stale, ...alive].map((file) => [keyOf(file.path), file]));
  const removed = freeFirst({ missing, stale, moving: [], own, clusterSize: CLUSTER });
  return removed?.map(({ path }) => path.split('/').at(-1));
}

const three = [anEntry(3), anEntry(1), anEntry(2)];

describe('of old files', () => {
  test('none goes when nothing is missing', () => {
    assert.deepEqual(goes(0, three), []);
  });

  test('no more go than are enough: one that fits exactly is enough', () => {
    assert.deepEqual(goes(CLUSTER, three), ['generation-1.efi']);
    assert.deepEqual(goes(CLUSTER + 1, three), ['generation-1.efi', 'generation-2.efi']);
    assert.deepEqual(goes(2 * CLUSTER, three), ['generation-1.efi', 'generation-2.efi']);
  });

  test('all together may be exactly enough, and a byte more is a refusal', () => {
    assert.deepEqual(
      goes(3 * CLUSTER, three),
      [1, 2, 3].map((of) => `generation-${of}.efi`),
    );
    assert.equal(goes(3 * CLUSTER + 1, three), undefined);
  });

  test('a blob goes with the last entry that names it, and not before', () => {
    const blob = aFile('blob', 'kernel', {});
    const stale = [anEntry(1, [blob.path]), anEntry(2, [blob.path]), blob];
    assert.deepEqual(goes(CLUSTER, stale), ['generation-1.efi']);
    assert.deepEqual(goes(2 * CLUSTER + 1, stale), [
      'generation-1.efi',
      'generation-2.efi',
      'kernel',
    ]);
  });

  test('an image goes only after the entries that move away from it, and they free nothing', () => {
    const image = aFile('blob', 'image', {});
    const moving = [anEntry(2, [image.path]), anEntry(1, [image.path])];
    const own = new Map([...moving, image, NEWEST].map((file) => [keyOf(file.path), file]));
    const removed = (missing: number) =>
      freeFirst({ missing, stale: [image], moving, own, clusterSize: CLUSTER })?.map(({ path }) =>
        path.split('/').at(-1),
      );
    assert.deepEqual(removed(CLUSTER), ['generation-1.efi', 'generation-2.efi', 'image']);
    assert.equal(removed(CLUSTER + 1), undefined);
  });

  test('a blob that nothing names goes before any entry', () => {
    const stale = [anEntry(1), aFile('blob', 'initrd', {})];
    assert.deepEqual(goes(1, stale), ['initrd']);
  });

  test('the newest that boots stays when no other entry boots', () => {
    const damaged = { ...NEWEST, damage: 'it is cut short' };
    assert.deepEqual(goes(2 * CLUSTER, three, [damaged]), ['generation-1.efi', 'generation-2.efi']);
    assert.equal(goes(3 * CLUSTER, three, [damaged]), undefined);
  });
});
