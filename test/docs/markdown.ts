/** What a test asks of a page of Markdown: its headings as anchors, its links, its tables, the paths it names. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');

/** One page. `path` is relative to the root of the repository. */
export interface Page {
  readonly path: string;
  readonly text: string;
}

/** A link as it is written. */
export interface Link {
  readonly target: string;
  /** Counted from 1. */
  readonly line: number;
}

/** Returns the pages a reader is sent to: README.md, CHANGELOG.md and everything in docs/. */
export function readPages(): readonly Page[] {
  const docs = readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`);
  return ['README.md', 'CHANGELOG.md', ...docs].map((path) => readPage(path));
}

/** Returns one page. */
export function readPage(path: string): Page {
  return { path, text: readFileSync(join(ROOT, path), 'utf8') };
}

/** Returns a text with the blocks of code made empty lines, so that line numbers stay. */
function withoutBlocks(text: string): string {
  return text.replace(/^```.*\n[\s\S]*?^```$/gm, (block) => block.replace(/[^\n]/g, ''));
}

/** Returns the anchors of a page, as GitHub makes them of its headings. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const seen = new Map<string, number>();
  const anchors = [...withoutBlocks(text).matchAll(/^#{1,6} +(.+?) *$/gm)].map(([, heading]) => {
    const plain = anchorOf(heading ?? '');
    const count = seen.get(plain) ?? 0;
    seen.set(plain, count + 1);
    return count === 0 ? plain : `${plain}-${count}`;
  });
  return new Set(anchors);
}

/** A heading in lower case, without anything but letters, digits, `_`, `-` and spaces, which become `-`. */
function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
}

/** Returns the links of a page. */
export function linksOf(text: string): readonly Link[] {
  return withoutBlocks(text)
    .split('\n')
    .flatMap((line, index) =>
      [...line.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => ({
        target: match[1] ?? '',
        line: index + 1,
      })),
    );
}

/** Returns the cells of every row of the tables of a page, without the lines under their heads. */
export function rowsOf(text: string): readonly (readonly string[])[] {
  return withoutBlocks(text)
    .split('\n')
    .filter((line) => line.startsWith('|') && !/^\|[\s:|-]+\|$/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
}

/** Returns what stands between backticks in a text: commands, names, paths. */
export function codeIn(text: string): readonly string[] {
  return [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
}

/**
 * Returns the command lines of the program on a page, in blocks of code and in the text, as the words
 * after its name. What follows a pipe or another command is left out.
 */
export function commandsIn(text: string): readonly (readonly string[])[] {
  const blocks = [...text.matchAll(/^```.*\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
  const lines = [...blocks.flatMap((block) => joined(block).split('\n')), ...codeIn(text)];
  return lines.flatMap((line) => {
    const call = /^(?:node )?(?:npm run --silent espalier --|espalier(?:\.mjs)?) (.+)$/.exec(line);
    const [alone = ''] = call?.[1]?.split(/ [|>&;]|\t/) ?? [];
    return alone === '' ? [] : [alone.trim().split(/\s+/)];
  });
}

/** Returns a script with its continued lines made one. */
function joined(script: string): string {
  return script.replace(/\\\n\s*/g, '');
}
