/** The parts of the page: escaping, the map, and the titles of the loader. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { html, sourceOf } from '../../src/html/markup.ts';
import { shownTitle } from '../../src/html/menu-section.ts';
import { treemap } from '../../src/html/treemap.ts';
import type { MenuEntry } from '../../src/plan/menu.ts';
import { elementsOf, textOf } from './a-document.ts';

test('any text stays text, in contents and in values', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const page = sourceOf(html`<p title="${text}">${text}</p>`);
      const [element, ...others] = elementsOf(page);
      assert.deepEqual(others, []);
      assert.equal(element?.attributes['title'], textOf(page));
      if (/^[\x20-\x7e]*$/.test(text)) assert.equal(textOf(page), text);
    }),
  );
});

test('the tiles of a map fill the whole in proportion to their sizes', () => {
  const sizes = fc.array(fc.record({ size: fc.integer({ min: 0, max: 1e9 }) }), { maxLength: 30 });
  fc.assert(
    fc.property(sizes, (items) => {
      const tiles = treemap(items, 5 / 2);
      const total = items.reduce((sum, { size }) => sum + size, 0);
      assert.equal(tiles.length, items.filter(({ size }) => size > 0).length);
      for (const { item, left, top, width, height } of tiles) {
        assert.ok(Math.abs((width * height) / 10_000 - item.size / total) < 1e-6);
        assert.ok(left > -1e-6 && top > -1e-6 && left + width < 100.001 && top + height < 100.001);
      }
    }),
  );
});

test('entries of one title are told apart as the loader does it', () => {
  const entry = (id: string, title: string, version?: string) =>
    ({ id, title, version }) as unknown as MenuEntry;
  const menu = [
    entry('a.conf', 'Linux', '6.1'),
    entry('b.conf', 'Linux', '6.2'),
    entry('c.conf', 'Linux', '6.2'),
    entry('d.conf', 'Windows'),
  ];
  assert.deepEqual(
    menu.map((one) => shownTitle(one, menu)),
    ['Linux (6.1)', 'Linux (6.2) (b.conf)', 'Linux (6.2) (c.conf)', 'Windows'],
  );
});
