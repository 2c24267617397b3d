/** A list of extra files is believed when its text is what its name says. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hash } from '../../src/digest.ts';
import { formatManifest, manifestPath, readManifests } from '../../src/esp/extra-manifest.ts';
import { espPath, fileName } from '../../src/esp/layout.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const record = { path: espPath('EFI', 'tool.efi'), size: 1, digest: hash('x') };
const TEXT = formatManifest([record]);
const PATH = manifestPath(TEXT, 'nixos');

/** Reads the list at its place when it has this text. */
function read(text: string) {
  const disk = new MemoryDisk({ files: { [`/boot/${PATH}`]: text } });
  const [list] = readManifests(disk, '/boot', [{ name: fileName(PATH), path: PATH }], 'nixos');
  assert.ok(list);
  return list;
}

describe('a list on an ESP', () => {
  test('says what it was made of', () => {
    const { records, damage } = read(TEXT);
    assert.deepEqual([records, damage], [[record], undefined]);
  });

  test('whose text is not what its name says is damaged, and says nothing', () => {
    const { records, damage } = read(TEXT.replace('tool', 'fool'));
    assert.deepEqual([records, damage], [undefined, 'its text is not what its name says']);
  });

  test('that is larger than any of ours is not read', () => {
    assert.equal(read(TEXT.padEnd(64 * 1024 + 1, '\n')).records, undefined);
  });

  test('is known by its name alone', () => {
    const disk = new MemoryDisk({ files: { '/boot/EFI/nixos/extra-files-x.txt': TEXT } });
    const path = espPath('EFI', 'nixos', 'extra-files-x.txt');
    assert.deepEqual(readManifests(disk, '/boot', [{ name: fileName(path), path }], 'nixos'), []);
  });
});
