/** Parses JSON from outside with a bound on nesting, so that recursion over the result is safe. */
import { EspError } from '../error.ts';
import { quote } from './complaint.ts';

const DEPTH_LIMIT = 64;

/**
 * Parses JSON that nests at most 64 values deep.
 * @throws {BOOTSPEC_MALFORMED} when it is not JSON, or nests deeper
 */
export function parseJson(text: string, file: string): unknown {
  requireShallow(text, file);
  try {
    return JSON.parse(text);
  } catch (cause) {
    // The parser's message contains foreign text, so it is quoted and not kept as a cause.
    const reason = cause instanceof Error ? cause.message : 'something else';
    throw new EspError('BOOTSPEC_MALFORMED', `${file}: expected JSON, got ${quote(reason)}`);
  }
}

/** Counts brackets outside strings, in one pass without a stack. */
function requireShallow(text: string, file: string): void {
  // Most documents have fewer brackets than the limit in all, and counting those is quicker.
  if ((text.match(/[[{]/g)?.length ?? 0) <= DEPTH_LIMIT) return;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === '"') quoted = !quoted;
    else if (quoted) at += character === '\\' ? 1 : 0;
    else depth += NESTING[character] ?? 0;
    if (depth > DEPTH_LIMIT) {
      throw new EspError(
        'BOOTSPEC_MALFORMED',
        `${file}: offset ${at}: expected at most ${DEPTH_LIMIT} nested values, got more`,
      );
    }
  }
}

const NESTING: Readonly<Record<string, number>> = { '[': 1, '{': 1, ']': -1, '}': -1 };
