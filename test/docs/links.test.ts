/** The documentation leads somewhere: every link, every anchor, every file of the repository that it names. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, test } from 'node:test';
import { anchorsOf, codeIn, linksOf, type Page, ROOT, readPage, readPages } from './markdown.ts';

/** A file of ours as a page names it: not a pattern, and not a name to be filled in. */
const NAMED_FILE = /^(?:src|test|tools|systemd|docs)\/[\w./-]*$/;

/** Written from the tables of the code. The test of the reference says whether it is there and up to date. */
const GENERATED: readonly string[] = ['docs/reference.md'];

function isThere(path: string): boolean {
  return GENERATED.includes(path) || existsSync(join(ROOT, path));
}

/** Says what is wrong with the links of a page, each with its line. */
function brokenLinks({ path, text }: Page): string[] {
  return linksOf(text).flatMap(({ target, line }) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [file = '', anchor] = target.split('#');
    const to = file === '' ? path : posix.join(posix.dirname(path), file);
    const where = `${path}:${line}: ${target}`;
    if (!isThere(to)) return [`${where}: there is no ${to}`];
    if (anchor === undefined) return [];
    const { text: there } = to === path ? { text } : readPage(to);
    return anchorsOf(there).has(anchor) ? [] : [`${where}: ${to} has no heading of this anchor`];
  });
}

describe('the documentation', () => {
  const pages = readPages();

  test('has links that lead to a file, and anchors that lead to a heading', () => {
    assert.ok(pages.length > 5);
    assert.deepEqual(pages.flatMap(brokenLinks), []);
  });

  test('names only files of the repository that are there', () => {
    const named = pages.flatMap(({ path, text }) =>
      codeIn(text)
        .filter((code) => NAMED_FILE.test(code))
        .map((code) => [path, code] as const),
    );
    assert.ok(named.length > 20);
    const missing = named.filter(([, file]) => !isThere(file));
    assert.deepEqual(missing, []);
  });
});

describe('what looks at links', () => {
  const complain = (text: string) => brokenLinks({ path: 'docs/tasks.md', text });

  test('finds a file that is not there, and an anchor that no heading has', () => {
    assert.match(complain('[a](nowhere.md)')[0] ?? '', /there is no docs\/nowhere\.md/);
    assert.match(complain('\n[a](#nowhere)')[0] ?? '', /docs\/tasks\.md:2: .* no heading/);
    assert.match(complain('[a](../README.md#nowhere)')[0] ?? '', /README\.md has no heading/);
  });

  test('passes over code and links to elsewhere, and knows a heading by its anchor', () => {
    const text =
      '## Why `a`, b?\n[a](#why-a-b) [b](https://example.org/x#y)\n```\n[c](none)\n```\n';
    assert.deepEqual(complain(text), []);
  });

  test('counts headings of the same words', () => {
    assert.deepEqual([...anchorsOf('# A b\n## A b\n')], ['a-b', 'a-b-1']);
  });
});
