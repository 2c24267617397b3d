/** The floors of docs/contributing.md are those that the law has. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT, readPage, rowsOf } from './markdown.ts';

/** Returns the floors as the law has them: its list is one of plain texts, so it is read as JSON. */
function floorsOfTheLaw(): readonly (readonly string[])[] {
  const law = readFileSync(join(ROOT, 'test/architecture.test.ts'), 'utf8');
  const list = /^(?:export )?const FLOORS\b[^=]*= (\[\n[\s\S]*?^\]);$/m.exec(law)?.[1];
  assert.ok(list !== undefined, 'test/architecture.test.ts has a list of floors');
  const plain = list
    .replace(/\/\/.*$/gm, '')
    .replaceAll("'", '"')
    .replace(/,(\s*\])/g, '$1');
  return JSON.parse(plain) as string[][];
}

/** Returns the rows that the table should have, as `2 esp/`: floor and room. */
function rowsOfTheLaw(): string[] {
  return floorsOfTheLaw().flatMap((rooms, floor) =>
    rooms.map((room) => `${floor} ${room.endsWith('.ts') ? room : `${room}/`}`),
  );
}

test('every room has a row on its floor that says what it knows, and no other row is there', () => {
  const rows = rowsOf(readPage('docs/contributing.md').text).flatMap(([floor = '', room, knows]) =>
    /^\d+$/.test(floor) && knows ? [`${floor} ${room?.replaceAll('`', '')}`] : [],
  );
  const law = rowsOfTheLaw();
  const missing = law.filter((row) => !rows.includes(row));
  const extra = rows.filter((row) => !law.includes(row));
  assert.ok(law.length > 20, 'the law has floors');
  assert.deepEqual({ missing, extra }, { missing: [], extra: [] });
  assert.equal(rows.length, law.length, 'no room has two rows');
});
