/** What a schema has against a value is said in words that a person uses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { complaintOf } from '../src/schema-issue.ts';

const schema = v.strictObject({
  version: v.literal(1),
  names: v.array(v.string()),
  size: v.optional(v.number('expected a size')),
});

for (const [value, expected] of [
  [{ names: [] }, 'it is missing'],
  [{ version: 2, names: [] }, 'expected 1, got 2'],
  [{ version: 1, names: 'a' }, 'expected a list, got "a"'],
  [{ version: 1, names: [3] }, 'expected a text, got 3'],
  [{ version: 1, names: {} }, 'expected a list, got a table'],
  [{ version: 1, names: [], other: 1 }, 'there is no such key'],
  [{ version: 1, names: [], size: 'x' }, 'expected a size'],
  [{ version: 'x'.repeat(999), names: [] }, `expected 1, got "${'x'.repeat(59)}…`],
] as const) {
  test(expected, () => {
    const [issue] = v.safeParse(schema, value).issues ?? [];
    assert.ok(issue);
    assert.equal(complaintOf(issue), expected);
  });
}
