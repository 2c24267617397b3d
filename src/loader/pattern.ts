/** The patterns in which systemd-boot's `default` names entries. */

/** One place of a pattern: any run of characters, or a test for one character. */
type Place = 'run' | ((character: string) => boolean);

/** Longer than a name on FAT, longer than an EFI variable for one: characters. */
const MAX_PATTERN = 1024;

/**
 * Tells whether a pattern matches an entry's ID as in systemd-boot: `*`, `?`, `[a-z]`, and `\` before a
 * character that stands for itself. Capitals and small letters are the same, because it lowers patterns
 * and IDs alike; the one exception, UKIs that are counted, is left to those who name them in capitals.
 * A pattern that is cut short, or longer than 1024 characters, matches nothing.
 */
export function matchesPattern(pattern: string, id: string): boolean {
  if (pattern.length > MAX_PATTERN) return false;
  const places = parsePattern(lower(pattern));
  return places !== undefined && matches(places, lower(id));
}

/** ASCII alone, as there. */
function lower(text: string): string {
  return text.replace(/[A-Z]/g, (capital) => capital.toLowerCase());
}

/**
 * Matches in at most places times characters: of all runs only the last needs trying again, because
 * what an earlier one could win by being longer, the last one can win too.
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

/** A place and where the pattern goes on after it. */
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

/** Reads one character that stands for itself, behind its backslash if it has one. */
function parseLiteral(pattern: string, at: number) {
  const start = pattern.charAt(at) === '\\' ? at + 1 : at;
  return { literal: pattern.charAt(start), end: start + 1 };
}

/** Reads a set after its opening bracket; a `]` that comes first stands for itself. */
function parseSet(pattern: string, start: number): Parsed | undefined {
  const ranges: (readonly [low: string, high: string])[] = [];
  // Where a range may start; ranges do not chain, so in `a-c-f` the second `-` stands for itself.
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
