/** Two names may lead to the same clusters after power was lost in a rename: nothing is done to either. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EntryFile } from '../../src/esp/inventory.ts';
import { espPath } from '../../src/esp/layout.ts';
import { anInventory, aWanted, outline, planned } from './a-plan.ts';

const [one, two] = [aWanted({ number: 1 }), aWanted({ number: 2 })];

describe('a file that shares its clusters with a temporary file', () => {
  const path = espPath('EFI', 'nixos', 'initrd-2.efi');
  const temporaries = [{ path: espPath('EFI', 'nixos', '.espalier-1-1.tmp'), size: 9, twin: path }];
  const whole = anInventory({ has: [two] });
  const blobs = whole.blobs.map((blob) => (blob.path === path ? { ...blob, size: 7 } : blob));

  test('is not written, although it is wanted and damaged', () => {
    const alone = planned({ musts: [two], inventory: anInventory({ ...whole, blobs }) });
    assert.deepEqual(outline(alone), ['put: +initrd-2.efi']);
    const inventory = anInventory({ ...whole, blobs, temporaries });
    assert.deepEqual(planned({ musts: [two], inventory }).phases, []);
  });
});

describe('an entry that is there under two counters', () => {
  const { blobs, entries } = anInventory({ has: [one, two] });
  const [first, ...others] = entries;
  assert.ok(first);
  const under = (counter: string, difference: Partial<EntryFile> = {}): EntryFile => ({
    ...first,
    path: espPath('loader', 'entries', `generation-1+${counter}.conf`),
    ...difference,
  });
  const twice = (difference?: Partial<EntryFile>) =>
    anInventory({ blobs, entries: [under('3', difference), under('2-1', difference), ...others] });

  test('stays with the files that it names, although nothing wants it', () => {
    assert.deepEqual(planned({ musts: [two], inventory: twice() }).phases, []);
  });

  test('is not written, although it is wanted and damaged', () => {
    const inventory = twice({ damage: 'it is cut short' });
    assert.deepEqual(planned({ musts: [two, one], inventory }).phases, []);
  });
});
