/** Matches the patterns by which `default` of systemd-boot names entries. */

/** One place of a pattern: any run of characters, or a test of one character. */
type Place = 'run' | ((character: string) => boolean);

/** In characters. A pattern is shorter, as are names on FAT and EFI variables. */
const MAX_PATTERN = 1024;

/**
 * Returns whether a pattern matches an entry's ID, as in systemd-boot: `*`, `?`, `[a-z]`, and `\`
 * before a literal character. Case is ignored, because systemd-boot lowers patterns and IDs. Its
 * one exception, counted UKIs named in capitals, is not imitated. A truncated pattern, or one of
 * more than 1024 characters, matches nothing.
 */
export function matchesPattern(pattern: string, id: string): boolean {
  if (pattern.length > MAX_PATTERN) return false;
  const places = parsePattern(lower(pattern));
  return places !== undefined && matches(places, lower(id));
}

/** Lowers ASCII alone, as systemd-boot does. */
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (capital) => capital.toLowerCase());
}

/**
 * Takes at most places times characters steps. Only the last run is ever tried again, because it
 * can match whatever a longer earlier run would have matched.
 */
function matches(places: readonly Place[], text: string): boolean {
  let place = 0;
  let at = 0;
  let retry: { readonly place: number; at: number } | undefined;
  while (at < text.length || place < places.length) {
    const expected = places[place];
    if (expected === 'run') {
      retry = { place: ++place, at };
    } else if (at < text.length && expected?.(text.charAt(at)) === true) {
      place++;
      at++;
    } else if (retry !== undefined && retry.at < text.length) {
      at = ++retry.at;
      place = retry.place;
    } else {
      return false;
    }
  }
  return true;
}

function parsePattern(pattern: string): readonly Place[] | undefined {
  const places: Place[] = [];
  for (let at = 0; at < pattern.length; ) {
    const parsed = parsePlace(pattern, at);
    if (parsed === undefined) return undefined;
    places.push(parsed.place);
    at = parsed.end;
  }
  return places;
}

/** A place of a pattern, and the offset behind it. */
interface Parsed {
  readonly place: Place;
  readonly end: number;
}

function parsePlace(pattern: string, at: number): Parsed | undefined {
  const character = pattern.charAt(at);
  if (character === '*') return { place: 'run', end: at + 1 };
  if (character === '?') return { place: () => true, end: at + 1 };
  if (character === '[') return parseSet(pattern, at + 1);
  const { literal, end } = parseLiteral(pattern, at);
  return literal === '' ? undefined : { place: (other) => other === literal, end };
}

/** Reads one literal character, behind its backslash if it has one. */
function parseLiteral(pattern: string, at: number) {
  const start = pattern.charAt(at) === '\\' ? at + 1 : at;
  return { literal: pattern.charAt(start), end: start + 1 };
}

/** Reads a set after its opening bracket. A `]` in first place is literal. */
function parseSet(pattern: string, start: number): Parsed | undefined {
  const ranges: (readonly [low: string, high: string])[] = [];
  // A range may start here. Ranges do not chain, so in `a-c-f` the second `-` is literal.
  let low: string | undefined;
  for (let at = start; at < pattern.length; ) {
    const character = pattern.charAt(at);
    if (character === ']' && at > start) return { place: inRanges(ranges), end: at + 1 };
    const from = character === '-' && pattern.charAt(at + 1) !== ']' ? low : undefined;
    const { literal, end } = parseLiteral(pattern, from === undefined ? at : at + 1);
    ranges.push([from ?? literal, literal]);
    low = from === undefined ? literal : undefined;
    at = end;
  }
  return undefined;
}

function inRanges(ranges: readonly (readonly [low: string, high: string])[]): Place {
  return (character) => ranges.some(([low, high]) => low <= character && character <= high);
}
