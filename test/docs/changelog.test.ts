/** CHANGELOG.md: what was released is not rewritten, and what follows is under Unreleased. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ROOT, readPage } from './markdown.ts';

/** SHA-256 of the sections of releases, their headings left out. A merge may put new lines into an old one. */
const RELEASED: Readonly<Record<string, string>> = {
  '0.1.0': 'ce085cd37c32c3ae746d99e40b2a9f745f0140a27148047f88cf4366b9f28601',
};

/** Returns the sections by the first word of their headings, in their order. */
function sections(): ReadonlyMap<string, string> {
  const { text } = readPage('CHANGELOG.md');
  const parts = text.split(/^## (\S+).*$/m).slice(1);
  return new Map(
    parts.flatMap((part, index) => (index % 2 === 0 ? [[part, parts[index + 1] ?? '']] : [])),
  );
}

describe('CHANGELOG.md', () => {
  test('has what is unreleased first, and then the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly version: string;
    };
    const [first, second] = sections().keys();
    assert.deepEqual([first, second], ['Unreleased', version]);
    assert.match(sections().get('Unreleased') ?? '', /^- /m);
  });

  test('leaves a release as it was: a new line belongs under Unreleased', () => {
    const digests = [...sections()]
      .filter(([name]) => name !== 'Unreleased')
      .map(([name, text]) => [name, hash('sha256', text)]);
    assert.deepEqual(Object.fromEntries(digests), RELEASED);
  });
});
