/** How JSON from outside is parsed so that whoever walks the result may recurse. */
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
    // The parser quotes the text as it is, so it is quoted once more rather than kept as a cause.
    const reason = cause instanceof Error ? cause.message : 'something else';
    throw new EspError('BOOTSPEC_MALFORMED', `${file}: expected JSON, got ${quote(reason)}`);
  }
}

/** Counts brackets outside strings: one pass that needs no stack. */
function requireShallow(text: string, file: string): void {
  // Nearly every document has fewer brackets than it may nest, and counting them all is quicker.
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
