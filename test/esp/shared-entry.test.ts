/** Entries that share an image: their text is read as it was written, whatever else somebody makes of it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { espPath } from '../../src/esp/layout.ts';
import {
  formatPointer,
  formatSharedEntry,
  MOST_PROFILES,
  splitPointer,
} from '../../src/esp/shared-entry.ts';
import { parseType1 } from '../../src/esp/type1.ts';

const IMAGE = espPath('EFI', 'nixos', `uki-6.12.9-${'a'.repeat(52)}.efi`);
const utf8 = (text: string) => new TextEncoder().encode(text);

const anyEntry = fc.record({
  title: fc.string(),
  version: fc.string(),
  sortKey: fc.string(),
  base: fc.constant('b'.repeat(52)),
  options: fc.constantFrom('init=/nix/store/a/init quiet', 'init=/nix/store/b/init a="b c"'),
});

describe('an entry that shares an image', () => {
  test('leads where it was made to lead, and its own lines are as they were', () => {
    fc.assert(
      fc.property(anyEntry, fc.nat({ max: MOST_PROFILES - 1 }), (entry, profile) => {
        const lines = formatSharedEntry(entry);
        const split = splitPointer(utf8(formatPointer(IMAGE, profile) + lines));
        assert.deepEqual(split?.pointer.to, { image: IMAGE, profile });
        assert.deepEqual(split?.rest, utf8(lines));
      }),
    );
  });

  test('says to a loader the image, the profile and then the command line', () => {
    const lines = formatSharedEntry({
      ...{ title: 'NixOS', version: 'Generation 1', sortKey: 'nixos', base: 'b' },
      options: 'init=/init quiet',
    });
    const { files, options, title } = parseType1(formatPointer(IMAGE, 7) + lines);
    assert.deepEqual([files, options, title], [[IMAGE], '@007 init=/init quiet', 'NixOS']);
  });

  test('takes as much room for every profile, all of it in one sector', () => {
    const lengths = [0, 9, 10, 99, 100, 999].map((at) => utf8(formatPointer(IMAGE, at)).length);
    assert.equal(new Set(lengths).size, 1);
    assert.ok((lengths[0] ?? 0) <= 512);
    assert.throws(() => formatPointer(IMAGE, MOST_PROFILES), RangeError);
  });

  test('of any bytes is read without an error, and leads nowhere that it does not say', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        const split = splitPointer(bytes);
        if (split?.pointer.to === undefined) return;
        assert.equal(
          formatPointer(split.pointer.to.image, split.pointer.to.profile),
          split.pointer.text,
        );
      }),
    );
  });
});
