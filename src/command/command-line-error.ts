/** Says what is wrong with a command line, and what its writer most likely meant. */

import type { CommanderError } from 'commander';
import { EspError } from '../error.ts';
import { counted } from '../quantity.ts';
import { nearest } from '../settings/nearest.ts';
import type { Option } from '../settings/option.ts';
import { ALL_SETTINGS } from '../settings/verb-options.ts';
import { commonOptionsOf, optionsOf, type VerbDeclaration } from './verb.ts';
import { VERBS } from './verbs.ts';

/** Returns whether commander's error means a wrong command line. Help and version are no misuse. */
export function isMisuse({ exitCode, code }: CommanderError): boolean {
  return exitCode !== 0 && code !== 'commander.help';
}

/**
 * Returns the error for what commander found wrong in a command line.
 * @param verb the verb that was named; undefined when the words name none
 */
export function commandLineError(
  error: CommanderError,
  argv: readonly string[],
  verb?: VerbDeclaration,
): EspError {
  const [message = ''] = error.message.replace(/^error: /, '').split('\n');
  const [, word = ''] = /'([^']*)'/.exec(message) ?? [];
  if (error.code === 'commander.unknownCommand')
    return usageError(message, suggest(word, wordsAfter(argv[argv.indexOf(word) - 1])));
  if (error.code === 'commander.unknownOption') return unknownOption(word, message, verb);
  return usageError(plain(message), '', verb);
}

/** The words of commander for what is missing or too much, as all other messages have them. */
function plain(message: string): string {
  const missing = /^missing required argument '(.*)'/.exec(message)?.[1];
  if (missing !== undefined) return `expected ${missing}, got nothing`;
  const [, option, value] =
    /^option '(?:-\w, )?(--[\w-]+) <(.*)>' argument missing/.exec(message) ?? [];
  if (option !== undefined) return `${option}: expected ${value}, got nothing`;
  const [, most, got] = /Expected (\d+) arguments? but got \d+: (.*)\.$/.exec(message) ?? [];
  if (most === undefined) return message;
  return `expected ${most === '0' ? 'no operand' : `at most ${counted(Number(most), 'operand')}`}, got ${got}`;
}

/** Adds the verb's help as a hint to an error about settings that has no hint. */
export function withHelp(error: unknown, verb: VerbDeclaration): unknown {
  const lacksHint =
    error instanceof EspError && error.code === 'CONFIG_INVALID' && error.hint === undefined;
  if (!lacksHint) return error;
  return new EspError('CONFIG_INVALID', error.message, { cause: error.cause, hint: help(verb) });
}

function unknownOption(word: string, message: string, verb?: VerbDeclaration): EspError {
  const flag = word.replace(/^--/, '').replace(/=.*$/, '');
  if (verb === undefined) return usageError(message, 'options stand behind the verb; ');
  if (flag === 'json' && verb.withoutDocument !== undefined) {
    return usageError(`${verb.name} does not use --json`, `${verb.withoutDocument}; `, verb);
  }
  // A verb that takes every setting uses none of them.
  const users = VERBS.filter(
    (other) => !ALL_SETTINGS.includes(other.name) && namesOf(optionsOf(other)).includes(flag),
  ).map(({ name }) => name);
  if (users.length > 0) {
    const does = users.length === 1 ? 'does' : 'do';
    return usageError(
      `${verb.name} does not use --${flag}`,
      `${enumerated(users)} ${does}; `,
      verb,
    );
  }
  return usageError(
    message,
    suggest(flag, namesOf([...optionsOf(verb), ...commonOptionsOf(verb)]), '--'),
    verb,
  );
}

/** Returns a question that proposes the nearest word, or nothing when none is near. */
function suggest(word: string, candidates: readonly string[], prefix = ''): string {
  const found = nearest(word, candidates);
  return found === undefined ? '' : `did you mean ${prefix}${found}? `;
}

/** Returns a usage error whose hint ends with the command that shows help. */
function usageError(message: string, advice: string, verb?: VerbDeclaration): EspError {
  return new EspError('CONFIG_INVALID', message, { hint: `${advice}${help(verb)}` });
}

function help(verb?: VerbDeclaration): string {
  return `see espalier ${verb === undefined ? '' : `${verb.name} `}--help`;
}

function namesOf(options: readonly Option[]): readonly string[] {
  return options.map(({ name }) => name);
}

/**
 * Returns the words that may follow the first word of a verb; without a first word, the first
 * words.
 */
function wordsAfter(group: string | undefined): readonly string[] {
  const verbs = VERBS.map(({ name }) => name.split(' '));
  const seconds = verbs.flatMap(([first, second]) => (first === group && second ? [second] : []));
  return seconds.length > 0 ? seconds : verbs.flatMap(([first]) => first ?? []);
}

function enumerated(words: readonly string[]): string {
  const last = words.at(-1) ?? '';
  return words.length < 2 ? last : `${words.slice(0, -1).join(', ')} and ${last}`;
}
