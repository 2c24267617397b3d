/** Describes a fault in a JSON document: the file, the place in it, expected and got. */
import type { BaseIssue } from 'valibot';
import { EspError } from '../error.ts';

/** The place of a document: its file, and the keys that lead to it. */
export interface Place {
  readonly file: string;
  readonly path: readonly (string | number)[];
}

/** Returns the error for what valibot found wrong in a document. */
export function malformed(issue: BaseIssue<unknown>, place: Place): EspError {
  const keys = issue.path?.map((item) => item.key as string | number) ?? [];
  return new EspError(
    'BOOTSPEC_MALFORMED',
    `${place.file}: ${pathText([...place.path, ...keys])}: ${complaint(issue)}${issue.kind === 'validation' ? origin(keys) : ''}`,
  );
}

/** Where a person finds what the document says, where that is not plain from its key. */
function origin(keys: readonly (string | number)[]): string {
  return keys.includes('kernelParams') ? '; it comes from boot.kernelParams' : '';
}

function complaint(issue: BaseIssue<unknown>): string {
  // valibot reports an unexpected key like this.
  if (issue.expected === 'never') return 'unknown key';
  // JSON has no undefined, so valibot means a missing key.
  if (issue.input === undefined) return 'missing';
  return `expected ${expectation(issue)}, got ${got(issue)}`;
}

/** Our own schemas have their expectation as the message. */
function expectation(issue: BaseIssue<unknown>): string {
  const ours = issue.kind === 'validation' || issue.type === 'custom';
  return ours ? issue.message : (issue.expected?.toLowerCase() ?? 'another value');
}

function got({ kind, input }: BaseIssue<unknown>): string {
  if (kind === 'validation') return quote(String(input));
  if (input === null) return 'null';
  return Array.isArray(input) ? 'array' : typeof input;
}

/** Returns a place as JSONPath: `$["org.nixos.bootspec.v1"].kernelParams[3]`. */
export function pathText(keys: readonly (string | number)[]): string {
  const steps = keys.map((key) => {
    if (typeof key === 'string' && /^[A-Za-z_]\w{0,63}$/.test(key)) return `.${key}`;
    return `[${typeof key === 'number' ? key : quote(key)}]`;
  });
  return `$${steps.join('')}`;
}

/** Quotes text from a document, so that it cannot control a terminal or fill a log. */
export function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(shown).replace(
    /\p{Cc}/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
