/** Splits and quotes the words of a setting's value (systemd.syntax(7) §Quoting). */
import { badUnit } from './complaint.ts';

/** One word, and how it was written. */
export interface Word {
  readonly text: string;
  readonly raw: string;
}

/**
 * Splits a value into words. Like systemd, more lenient than the manual: a quote may open inside a
 * word, and an unknown escape stands for itself.
 * @throws {CONFIG_INVALID} when a quote is not closed
 */
export function parseWords(value: string): Word[] {
  // An escape may name one byte of a character, so words are put together as bytes.
  const bytes = toBinary(value);
  const found: Word[] = [];
  let at = skipBlanks(bytes, 0);
  while (at < bytes.length) {
    const { text, next } = readWord(bytes, at, value);
    found.push({ text: fromBinary(text), raw: fromBinary(bytes.slice(at, next)) });
    at = skipBlanks(bytes, next);
  }
  return found;
}

function readWord(bytes: string, start: number, value: string): { text: string; next: number } {
  let text = '';
  let quote = '';
  let at = start;
  while (at < bytes.length && (quote !== '' || !isBlank(bytes[at]))) {
    const piece = readPiece(bytes, at, quote);
    quote = piece.quote;
    text += piece.means;
    at += piece.length;
  }
  if (quote !== '') throw badUnit(`${value}: expected a closing ${quote}, got the end`);
  return { text, next: at };
}

/** One character or escape of a word, its length in bytes, and the quote that is open after it. */
interface Piece {
  readonly means: string;
  readonly length: number;
  readonly quote: string;
}

function readPiece(bytes: string, at: number, quote: string): Piece {
  const character = bytes[at] ?? '';
  if (character === '\\') return { ...readEscape(bytes, at), quote };
  if (character === quote) return { means: '', length: 1, quote: '' };
  const opens = quote === '' && `"'`.includes(character);
  return opens
    ? { means: '', length: 1, quote: character }
    : { means: character, length: 1, quote };
}

const LETTERS: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  s: ' ',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

const ESCAPE =
  /\\(?:([abfnrtvs\\"'])|x([\da-fA-F]{2})|([0-7]{3})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/y;

/** Reads the escape at `at`; `length` counts its backslash. */
function readEscape(bytes: string, at: number): { means: string; length: number } {
  ESCAPE.lastIndex = at;
  const match = ESCAPE.exec(bytes);
  const [whole = '', letter, hex, octal, short, long] = match ?? [];
  const byte = hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16);
  const point = Number.parseInt(short ?? long ?? '', 16);
  if (letter !== undefined && LETTERS[letter] !== undefined) {
    return { means: LETTERS[letter], length: 2 };
  }
  if (byte > 0 && byte < 256) return { means: String.fromCharCode(byte), length: whole.length };
  if (point > 0 && point <= 0x10ffff) {
    return { means: toBinary(String.fromCodePoint(point)), length: whole.length };
  }
  return { means: '\\', length: 1 };
}

function skipBlanks(bytes: string, from: number): number {
  let at = from;
  while (at < bytes.length && isBlank(bytes[at])) at += 1;
  return at;
}

function isBlank(character: string | undefined): boolean {
  return character !== undefined && ' \t\r\n'.includes(character);
}

/** A string with one character, of code 0 to 255, for each byte of UTF-8. */
function toBinary(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}

function fromBinary(bytes: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Uint8Array.from(bytes, (character) => character.charCodeAt(0)),
  );
}

/**
 * Quotes a path so that a list of paths in a unit gives it back: specifiers and quotes are escaped,
 * and a colon inside it separates nothing.
 * @throws {CONFIG_INVALID} for a path that no unit can name
 */
export function quotePath(path: string): string {
  if (/\p{Cc}/u.test(path)) {
    throw badUnit(`${JSON.stringify(path)}: expected a path without control characters`);
  }
  const literal = path.replaceAll('%', '%%');
  if (/^[\w./+,@=~%-]+$/.test(literal)) return literal;
  return `"${literal.replace(/["\\]/g, '\\$&')}"`;
}
