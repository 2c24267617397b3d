/** What a repair and a collection may do of what an install would. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { anInventory, aWanted, CONF, outline, planned } from './a-plan.ts';

const one = aWanted({ number: 1 });
const two = aWanted({ number: 2 });
const next = CONF.replace('x', 'y');

/** An inventory in which one file is not what it should be. */
function damaged(pattern: RegExp, ...has: readonly (typeof one)[]) {
  const { blobs, entries } = anInventory({ has });
  const mark = <T extends { readonly path: string }>(file: T) =>
    pattern.test(file.path) ? { ...file, damage: 'torn' } : file;
  return { blobs: blobs.map(mark), entries: entries.map(mark) };
}

describe('a repair', () => {
  const repair = (inventory: Parameters<typeof anInventory>[0]) =>
    outline(
      planned({
        scope: 'repair',
        musts: [two],
        wishes: [one],
        inventory: anInventory(inventory),
        loaderConf: next,
      }),
    );

  test('mends what is there, and adds no generation', () => {
    assert.deepEqual(repair(damaged(/initrd-2/, two)), ['put: +initrd-2.efi']);
    assert.deepEqual(repair(damaged(/generation-2/, two)), ['publish: +generation-2.conf']);
    assert.deepEqual(repair({ has: [two] }), []);
  });

  test('writes a file that is missing if an entry that is there names it', () => {
    const { entries, blobs } = anInventory({ has: [two] });
    const without = blobs.filter(({ path }) => !path.includes('kernel'));
    assert.deepEqual(repair({ entries, blobs: without }), ['put: +kernel-a.efi']);
  });

  test('writes what a damaged entry names, though that cannot be read from it', () => {
    const { entries, blobs } = damaged(/generation-2/, two);
    const without = blobs.filter(({ path }) => !path.includes('initrd'));
    const unread = entries.map((entry) => ({ ...entry, references: [] }));
    assert.deepEqual(repair({ entries: unread, blobs: without }), [
      'put: +initrd-2.efi',
      'publish: +generation-2.conf',
    ]);
  });

  test('removes nothing that is whole', () => {
    assert.deepEqual(repair({ has: [one, two, aWanted({ number: 9 })] }), []);
  });

  test('removes what is damaged, not wanted, and not named by what stays', () => {
    const nine = aWanted({ number: 9 });
    assert.deepEqual(repair(damaged(/generation-9/, two, nine)), [
      'remove-entries: -generation-9.conf',
    ]);
    assert.deepEqual(repair(damaged(/initrd-9/, two, nine)), []);
    const { blobs } = damaged(/initrd-9/, two, nine);
    const { entries } = anInventory({ has: [two] });
    assert.deepEqual(repair({ entries, blobs }), ['remove-blobs: -initrd-9.efi']);
  });

  test('leaves alone what boots next, unless nothing says so', () => {
    assert.deepEqual(repair({ has: [two] }), []);
    assert.deepEqual(repair({ has: [two], loaderConf: undefined }), ['default: +loader.conf']);
  });
});

describe('a collection', () => {
  const collect = (musts: readonly (typeof one)[], inventory: Parameters<typeof anInventory>[0]) =>
    outline(planned({ scope: 'gc', musts, inventory: anInventory(inventory), loaderConf: next }));

  test('removes what nothing wants, and writes nothing', () => {
    assert.deepEqual(
      collect([two], { has: [one, two], loaderConf: undefined, layout: undefined }),
      ['remove-entries: -generation-1.conf', 'remove-blobs: -initrd-1.efi'],
    );
  });

  test('keeps an entry whose successor is not there yet', () => {
    const successor = aWanted({ number: 1, tag: '-b' });
    assert.deepEqual(collect([two, successor], { has: [one, two] }), []);
  });

  test('keeps the last entry that boots, with its files', () => {
    assert.deepEqual(collect([two], { has: [one] }), []);
    assert.deepEqual(collect([two], damaged(/initrd-2/, one, two)), []);
  });

  test('on a full ESP needs no room', () => {
    assert.deepEqual(collect([two], { has: [one, two], free: 0 }), [
      'remove-entries: -generation-1.conf',
      'remove-blobs: -initrd-1.efi',
    ]);
  });
});
