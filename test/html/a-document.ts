/** Reads a page strictly, as markup in which every element ends: what it holds, and its text. */
import assert from 'node:assert/strict';

/** An element with its attributes, their references resolved. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Elements that have no end (HTML §13.1.2). */
const VOID = ['meta', 'br', 'hr', 'img', 'link'];
const TOKEN = /<!DOCTYPE html>|<\/([a-z0-9]+)>|<([a-z0-9]+)((?: [a-z-]+="[^"<>]*")*)>|([^<>]+)/gy;

/** Returns every element; fails where one does not end, or something is no markup at all. */
export function elementsOf(document: string): readonly Element[] {
  const open: string[] = [];
  const found: Element[] = [];
  let at = 0;
  for (const [token, end, name, attributes = '', text] of withoutStyle(document).matchAll(TOKEN)) {
    at += token.length;
    if (end !== undefined) assert.equal(open.pop(), end, `an end of ${end}`);
    if (text !== undefined) resolved(text);
    if (name === undefined) continue;
    found.push({ name, attributes: attributesIn(attributes) });
    if (!VOID.includes(name)) open.push(name);
  }
  assert.equal(at, withoutStyle(document).length, withoutStyle(document).slice(at, at + 80));
  assert.deepEqual(open, [], 'every element ends');
  const ids = found.flatMap(({ attributes: { id } }) => id ?? []);
  assert.equal(new Set(ids).size, ids.length, 'every id is there once');
  const named = found.flatMap(({ attributes }) => attributes['aria-labelledby'] ?? []);
  assert.deepEqual(
    named.filter((id) => !ids.includes(id)),
    [],
  );
  return found;
}

/** Returns the text that a reader sees. */
export function textOf(document: string): string {
  return resolved(withoutStyle(document).replace(/<[^>]*>/g, ''));
}

/** A style sheet is no markup. */
function withoutStyle(document: string): string {
  return document.replace(/(<style>)[^<]*(<\/style>)/, '$1$2');
}

function attributesIn(text: string): Element['attributes'] {
  const pairs = [...text.matchAll(/ ([a-z-]+)="([^"]*)"/g)];
  return Object.fromEntries(pairs.map(([, name, value = '']) => [name, resolved(value)]));
}

const CHARACTERS: Readonly<Record<string, string>> = {
  ...{ '&amp;': '&', '&lt;': '<', '&gt;': '>' },
  ...{ '&quot;': '"', '&#39;': "'" },
};

function resolved(text: string): string {
  return text.replace(/&[^;\s]*;?/g, (reference) => {
    const character = CHARACTERS[reference];
    assert.ok(character, `${reference} is a reference`);
    return character;
  });
}
