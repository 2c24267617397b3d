/** The list of extra files: what is written is read, and what could lead to harm is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hash } from '../../src/digest.ts';
import { formatManifest, parseManifest } from '../../src/esp/extra-manifest.ts';
import { extraNameFault } from '../../src/esp/extra-name.ts';
import { espPath } from '../../src/esp/layout.ts';

const anyPath = fc
  .array(fc.string({ unit: fc.constantFrom(...'aB9 .+-_~'), minLength: 1, maxLength: 8 }), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => espPath(...parts))
  .filter((path) => extraNameFault(path, 'nixos') === undefined);
const anyRecord = fc
  .tuple(anyPath, fc.nat(), fc.string())
  .map(([path, size, text]) => ({ path, size, digest: hash(text) }));

test('what a list was made of is read from it, whatever the order', () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyRecord, { selector: ({ path }) => path }), (records) => {
      const read = parseManifest(formatManifest(records), 'nixos');
      const sorted = records.toSorted((a, b) => (a.path < b.path ? -1 : 1));
      assert.deepEqual(read, sorted);
      assert.equal(formatManifest(records.toReversed()), formatManifest(records));
    }),
  );
});

test('a list that names files which are ours by themselves, or none at all, says nothing of them', () => {
  const digest = hash('x');
  const paths = [
    'loader/loader.conf',
    'EFI/BOOT/BOOTX64.EFI',
    'EFI/nixos/kernel.efi',
    '../../etc/shadow',
    '/etc/shadow',
  ].map((path) => espPath(path));
  const good = { path: espPath('EFI/tool.efi'), size: 1, digest };
  const text = formatManifest([...paths.map((path) => ({ ...good, path })), good]);
  assert.deepEqual(parseManifest(`${text}garbage\n${digest} x y\n`, 'nixos'), [good]);
  assert.deepEqual(parseManifest(`${text.replace(' 1\n', ' 2\n')}`, 'nixos'), []);
});
