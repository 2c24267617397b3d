/** What a schema has against a value, in words for people: valibot's own speak of types and keys that are never. */
import type { BaseIssue } from 'valibot';

/** In characters. Values are foreign, and may be of any length. */
const SHOWN = 60;

const NAMES: Readonly<Record<string, string>> = {
  Array: 'a list',
  Object: 'a table',
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
};

/** Returns the words of a schema that has its own, else such words as a person would use. */
export function complaintOf({ message, expected, received }: BaseIssue<unknown>): string {
  if (!message.startsWith('Invalid ')) return message;
  if (expected === 'never') return 'there is no such key';
  if (received === 'undefined') return 'it is missing';
  const got = NAMES[received] ?? received;
  const shown = got.length > SHOWN ? `${got.slice(0, SHOWN)}…` : got;
  return `expected ${NAMES[expected ?? ''] ?? expected ?? 'another value'}, got ${shown}`;
}
