/** README.md is short, and has a reason for every package. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { codeIn, ROOT, readPage, rowsOf } from './markdown.ts';

/** Bytes. */
const MOST = 12_288;

interface Packages {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

describe('README.md', () => {
  test(`has at most ${MOST} bytes`, () => {
    const { size } = statSync(join(ROOT, 'README.md'));
    assert.ok(size <= MOST, `it has ${size}`);
  });

  test('gives a reason for each package of package.json, and for no other', () => {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(ROOT, 'package.json'), 'utf8'),
    ) as Packages;
    const { text } = readPage('README.md');
    const section = /^## Dependencies\n([\s\S]*?)^## /m.exec(text)?.[1] ?? '';
    const reasoned = rowsOf(section).flatMap(([packages = '', reason = '']) =>
      reason === '' ? [] : codeIn(packages),
    );
    const wanted = Object.keys({ ...dependencies, ...devDependencies });
    assert.deepEqual(reasoned.toSorted(), wanted.toSorted());
  });
});
