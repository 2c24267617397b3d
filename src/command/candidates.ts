/** What may come next on a command line. It is a pure function of the tables of verbs. */
import type { Option } from '../settings/option.ts';
import { commonOptionsOf, GROUPS, optionsOf, type VerbDeclaration } from './verb.ts';

/** What a shell offers: words, or what it finds itself. */
export type Candidates =
  | { readonly kind: 'words'; readonly words: readonly Candidate[] }
  | { readonly kind: 'files' | 'directories' | 'generations' };

export interface Candidate {
  readonly word: string;
  readonly help: string;
}

/**
 * Returns what may stand in place of the last word.
 * @param words the words behind the name of the program; the last one is being typed, and may be empty
 */
export function candidatesFor(
  verbs: readonly VerbDeclaration[],
  words: readonly string[],
): Candidates {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const verb = verbOf(verbs, before);
  if (verb === undefined)
    return { kind: 'words', words: startingWith(current, nextWords(verbs, before)) };
  const options = [...optionsOf(verb), ...commonOptionsOf(verb)];
  const [, name, value] = /^--([^=]*)=(.*)$/.exec(current) ?? [];
  if (name !== undefined) return valuesOf(optionNamed(options, name), value ?? '', `--${name}=`);
  const last = before.at(-1) ?? '';
  const waiting = last.startsWith('--') ? optionNamed(options, last.slice(2)) : undefined;
  if (waiting?.value !== undefined) return valuesOf(waiting, current, '');
  if (current.startsWith('-')) {
    const flags = options.map(({ name: flag, help }) => ({ word: `--${flag}`, help }));
    return { kind: 'words', words: startingWith(current, flags) };
  }
  return operandsOf(verb, current);
}

function verbOf(
  verbs: readonly VerbDeclaration[],
  words: readonly string[],
): VerbDeclaration | undefined {
  return verbs.find(({ name }) => name.split(' ').every((word, at) => words[at] === word));
}

/** Returns the words that begin a verb, or its second word. */
function nextWords(
  verbs: readonly VerbDeclaration[],
  before: readonly string[],
): readonly Candidate[] {
  const found = new Map<string, string>();
  for (const { name, summary } of verbs) {
    const words = name.split(' ');
    if (!before.every((word, at) => words[at] === word)) continue;
    const word = words[before.length];
    if (word === undefined || found.has(word)) continue;
    const isGroup = words.length > before.length + 1;
    found.set(word, isGroup ? (GROUPS[word] ?? '') : summary);
  }
  return [...found].map(([word, help]) => ({ word, help }));
}

function optionNamed(options: readonly Option[], name: string): Option | undefined {
  return options.find((option) => option.name === name);
}

/** The words behind flags and operands that stand for something a shell can find. */
const KINDS: readonly (readonly [
  pattern: RegExp,
  kind: 'files' | 'directories' | 'generations',
])[] = [
  [/\bGENERATION\b/, 'generations'],
  [/\bDIR\b/, 'directories'],
  [/\b(FILE|PATH|IMAGE|DATA|HASH|DEVICE|SOURCE|UNIT|TOPLEVEL|DISK)\b/, 'files'],
];

function valuesOf(option: Option | undefined, typed: string, prefix: string): Candidates {
  const value = option?.value ?? '';
  // Alternatives in small letters are the values themselves.
  if (/^[a-z0-9-]+(\|[a-z0-9-]+)+$/.test(value)) {
    const words = value.split('|').map((word) => ({ word: `${prefix}${word}`, help: '' }));
    return { kind: 'words', words: startingWith(`${prefix}${typed}`, words) };
  }
  const kind = KINDS.find(([pattern]) => pattern.test(value))?.[1];
  return kind === undefined ? { kind: 'words', words: [] } : { kind };
}

function operandsOf({ operands = [] }: VerbDeclaration, typed: string): Candidates {
  const syntax = operands.map((operand) => operand.syntax).join(' ');
  const choice = /<([a-z0-9-]+(?:\|[a-z0-9-]+)+)>/.exec(syntax)?.[1];
  return valuesOf({ name: '', help: '', value: choice ?? syntax }, typed, '');
}

function startingWith(typed: string, words: readonly Candidate[]): readonly Candidate[] {
  return words.filter(({ word }) => word.startsWith(typed));
}
