/** The floors of docs/contributing.md are those that the law has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, readPage } from './markdown.ts';

/** Returns the floors as the law has them, the roof first: its list is one of plain texts, so it is read as JSON. */
function floorsOfTheLaw(): readonly (readonly string[])[] {
  const law = readFileSync(join(ROOT, 'test/architecture.test.ts'), 'utf8');
  const list = /^(?:export )?const FLOORS\b[^=]*= (\[\n[\s\S]*?^\]);$/m.exec(law)?.[1];
  assert.ok(list !== undefined, 'test/architecture.test.ts has a list of floors');
  const plain = list
    .replace(/\/\/.*$/gm, '')
    .replaceAll("'", '"')
    .replace(/,(\s*\])/g, '$1');
  const floors = JSON.parse(plain) as string[][];
  const named = (room: string) => (room.endsWith('.ts') ? room : `${room}/`);
  return floors.toReversed().map((rooms) => rooms.map(named).toSorted());
}

/** Returns the floors of the guide, the roof first: each room stands before a colon and what it knows. */
function floorsOfTheGuide(): readonly (readonly string[])[] {
  const { text } = readPage('docs/contributing.md');
  const section = /^## The floors\n([\s\S]*?)^## /m.exec(text)?.[1] ?? '';
  const floors = section.split(/^1\. /m).slice(1);
  return floors.map((floor) =>
    [...floor.matchAll(/^(?: {3}- )?`([\w./-]+)`: ./gm)].map(([, room]) => room ?? '').toSorted(),
  );
}

test('the guide has every floor of the law in its order, and says what each room knows', () => {
  const law = floorsOfTheLaw();
  assert.ok(law.flat().length > 20, 'the law has floors');
  assert.deepEqual(floorsOfTheGuide(), law);
});
