/** What the loader finds on all partitions: one menu, and on each what is left to remove. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Inventory } from '../../src/esp/inventory.ts';
import { scanInventory } from '../../src/esp/scan-inventory.ts';
import { scanBootTree } from '../../src/inspection/boot-tree.ts';
import { IMAGE_KINDS } from '../../src/plan/images.ts';
import { openTarget } from '../../src/volumes/volumes.ts';
import { aSystem, BOOT, ESP, type SystemShape } from '../volumes/a-system.ts';

const entry = (title: string) => `title ${title}\nlinux /EFI/nixos/kernel.efi\n`;

/** Reads the tree of a system with an XBOOTLDR partition at /boot. */
async function tree(shape: SystemShape = {}) {
  const settings = { xbootldr: BOOT, ...shape.settings };
  const { disk, ...system } = await aSystem({ ...shape, settings });
  const target = openTarget(ESP, system.settings, system.context);
  return {
    ...scanBootTree(target, (from, at) => scanInventory(from, at, 'nixos', IMAGE_KINDS)),
    disk,
  };
}

const ids = ({ entries }: Inventory) => entries.map(({ id }) => id);

test('of a system without XBOOTLDR it is the ESP, and nothing elsewhere', async () => {
  const files = { '/efi/loader/entries/a.conf': entry('a') };
  const { inventory, elsewhere } = await tree({ files, settings: { xbootldr: undefined } });
  assert.deepEqual(ids(inventory), ['a.conf']);
  assert.equal(inventory.espSpace, undefined);
  assert.deepEqual(elsewhere, []);
});

describe('the tree of ESP and XBOOTLDR', () => {
  const files = {
    '/efi/loader/entries/esp.conf': entry('esp'),
    '/boot/loader/entries/boot.conf': entry('boot'),
    '/efi/EFI/nixos/.espalier-1-1.tmp': 'half',
    '/efi/loader/.espalier-1-2.tmp': 'half',
  };

  test('has the entries of both in its menu', async () => {
    const { inventory } = await tree({ files });
    assert.deepEqual(ids(inventory), ['boot.conf', 'esp.conf']);
  });

  test('knows nothing of the files that an entry elsewhere names: they are not on XBOOTLDR', async () => {
    const { inventory } = await tree({ files });
    const references = inventory.entries.map((found) => found.references.length);
    assert.deepEqual(references, [1, 0]);
  });

  test('has an entry that is on both once, as the one on XBOOTLDR, in any case of letters', async () => {
    const both = {
      '/efi/loader/entries/A.conf': entry('esp'),
      '/boot/loader/entries/a.conf': entry('boot'),
    };
    assert.deepEqual(ids((await tree({ files: both })).inventory), ['a.conf']);
  });

  test('counts the space of each partition by itself', async () => {
    const { inventory, disk } = await tree({ files });
    const free = (root: string) => disk.fileSystem(root)?.free;
    assert.notEqual(free(ESP), free(BOOT));
    assert.deepEqual([inventory.free, inventory.espSpace?.free], [free(BOOT), free(ESP)]);
  });

  test('leaves to the ESP what belongs there, and what does not is elsewhere', async () => {
    const { inventory, elsewhere } = await tree({ files });
    const [other] = elsewhere;
    assert.equal(other?.root, ESP);
    assert.deepEqual(ids(other.inventory), ['esp.conf']);
    const paths = ({ temporaries }: Inventory) => temporaries.map(({ path }) => path);
    assert.deepEqual(paths(other.inventory), [
      'EFI/nixos/.espalier-1-1.tmp',
      'loader/.espalier-1-2.tmp',
    ]);
    assert.deepEqual(paths(inventory), []);
  });
});

test('a partition that was XBOOTLDR is elsewhere, and takes no space of its own', async () => {
  const files = { '/boot/loader/entries/boot.conf': entry('boot') };
  const settings = { xbootldr: undefined, 'former-xbootldr': BOOT };
  const { inventory, elsewhere } = await tree({ files, settings });
  assert.equal(inventory.espSpace, undefined);
  assert.deepEqual(ids(inventory), ['boot.conf']);
  assert.deepEqual(
    elsewhere.map(({ root, inventory: there }) => [root, ids(there)]),
    [[BOOT, ['boot.conf']]],
  );
});
