/** The reference: docs/reference.md is what the tables of the program say. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { optionsOf } from '../../src/command/verb.ts';
import { VERBS } from '../../src/command/verbs.ts';
import { ERROR_CODES } from '../../src/error.ts';
import { ROWS } from '../../src/settings/verb-options.ts';
import { REFERENCE, reference } from '../../tools/reference.ts';

test('docs/reference.md is what the tables say', () => {
  const text = reference();
  if (process.env['UPDATE_GOLDEN']) writeFileSync(REFERENCE, text);
  assert.equal(readFileSync(REFERENCE, 'utf8'), text, 'node tools/reference.ts');
});

test('the reference names every verb, option, setting and error code', () => {
  const text = reference();
  for (const verb of VERBS) {
    assert.ok(text.includes(`\n### ${verb.name}\n`), verb.name);
    for (const { name } of optionsOf(verb)) assert.ok(text.includes(`\`--${name}`), name);
  }
  for (const [name] of ROWS) assert.ok(text.includes(`| \`${name}`) || text.includes(`[${name}]`));
  for (const code of ERROR_CODES) assert.ok(text.includes(`| \`${code}\` |`), code);
});

test('every link within the reference leads to a heading', () => {
  const text = reference();
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(' ', '-'),
  );
  const links = [...text.matchAll(/\]\(#([^)]*)\)/g)].map(([, target = '']) => target);
  assert.ok(links.length > VERBS.length);
  for (const target of links) assert.ok(headings.includes(target), target);
});
