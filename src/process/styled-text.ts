/** Text whose parts mean something. How that is shown is decided where the text leaves the program. */
import type { Environment } from './machine.ts';

/** What a part of a text means. The words say it as well, so nobody depends on a colour. */
export type Meaning = 'good' | 'caution' | 'bad' | 'heading' | 'quiet';

/** A part of a text that means something. */
export interface Span {
  readonly text: string;
  readonly meaning: Meaning;
}

/** A part of a text; a plain string means nothing in particular. */
export type Part = string | Span;

/** Text for a person. */
export type Text = Part | readonly Part[];

/** How text is shown. */
export interface Look {
  readonly isColoured: boolean;
  /** Whether only characters of ASCII are shown. */
  readonly isAscii: boolean;
}

/** Formats of node:util's `styleText`. Of colours only those that every terminal has. */
const FORMATS: Readonly<Record<Meaning, Parameters<typeof import('node:util').styleText>[0]>> = {
  good: 'green',
  caution: 'yellow',
  bad: ['bold', 'red'],
  heading: 'bold',
  quiet: 'dim',
};

/** Returns text without what its parts mean. */
export function plain(text: Text): string {
  return partsOf(text)
    .map((part) => (typeof part === 'string' ? part : part.text))
    .join('');
}

/** Returns the parts of a text. */
export function partsOf(text: Text): readonly Part[] {
  return isPart(text) ? [text] : text;
}

function isPart(text: Text): text is Part {
  return typeof text === 'string' || 'meaning' in text;
}

/**
 * Returns text in which every character that could control a terminal has its JSON escape. Line
 * ends and tabs stay. Names and titles come from places where anyone may have put such characters.
 * The meaning of a JSON document stays the same.
 */
export function unsteered(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, escaped);
}

function escaped(character: string): string {
  return character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}

/** Returns text as a terminal takes it. Colours come last: no text of others can bring its own. */
export function shown(text: Text, { isColoured, isAscii }: Look): string {
  const safe = (part: string) => (isAscii ? inAscii(unsteered(part)) : unsteered(part));
  if (!isColoured) return safe(plain(text));
  const { styleText } = process.getBuiltinModule('node:util');
  return partsOf(text)
    .map((part) =>
      typeof part === 'string'
        ? safe(part)
        : styleText(FORMATS[part.meaning], safe(part.text), { validateStream: false }),
    )
    .join('');
}

/** What stands for characters of ours, each as wide as they are. */
const ASCII: Readonly<Record<string, string>> = {
  ...{ '’': "'", '“': '"', '”': '"', '…': '~', '→': '>', '–': '-', '·': '.' },
  ...{ '█': '#', '▓': '=', '▒': ':', '░': '.' },
};

/** Returns text in ASCII; marks that combine with a letter are left out. */
function inAscii(text: string): string {
  return text.replace(/\P{ASCII}/gu, (character) =>
    /\p{M}/u.test(character) ? '' : (ASCII[character] ?? '?'),
  );
}

/** Whether the locale has only ASCII for sure: the first of these variables that is set decides (locale(7)). */
export function isAsciiLocale({ LC_ALL, LC_CTYPE, LANG }: Environment): boolean {
  return !/utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

/** Whether a person wants colours; `auto` asks the environment and the terminal. */
export type Wish = 'auto' | 'always' | 'never';

/**
 * Decides about colours as programs of the field do (no-color.org, bixense.com/clicolors,
 * force-color.org): who says no wins over who says yes, and the option over both.
 */
export function wantsColour(
  wish: Wish,
  environment: Environment,
  isTerminal: () => boolean,
): boolean {
  if (wish !== 'auto') return wish === 'always';
  const { NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM } = environment;
  if (NO_COLOR) return false;
  if ([FORCE_COLOR, CLICOLOR_FORCE].some((forced) => forced && !isNo(forced))) return true;
  if ([FORCE_COLOR, CLICOLOR].some((asked) => asked && isNo(asked))) return false;
  return TERM !== 'dumb' && isTerminal();
}

function isNo(value: string): boolean {
  return value === '0' || value === 'false';
}
