/** What a reader copies from the documentation is a command line that the program has, and every verb has a task. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import { VERBS } from '../../src/command/verbs.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';
import { commandsIn, ROOT, readPages } from './markdown.ts';

/** Returns the name of the verb that a command line begins with, or undefined when there is none. */
function verbOf(words: readonly string[]): string | undefined {
  return [2, 1]
    .map((count) => words.slice(0, count).join(' '))
    .find((name) => VERBS.some((verb) => verb.name === name));
}

/** Returns the options that the help of a verb shows. */
async function optionsOf(verb: string): Promise<ReadonlySet<string>> {
  const lines: string[] = [];
  const print = (text: Text) => void lines.push(plain(text));
  await run([...verb.split(' '), '--help'], '', { ...processContext(pathToFileURL(ROOT)), print });
  const help = lines.join('\n');
  assert.match(help, /^Usage: espalier /);
  return new Set([...help.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(([, name]) => name ?? ''));
}

describe('a command line of the documentation', () => {
  const commands = readPages()
    .filter(({ path }) => path !== 'CHANGELOG.md')
    .flatMap(({ path, text }) => commandsIn(text).map((words) => ({ path, words })));

  test('has a verb that the program has', () => {
    assert.ok(commands.length > 40);
    const unknown = commands.filter(({ words: [first = '', ...rest] }) => {
      const isVerb = verbOf([first, ...rest]) !== undefined;
      return !isVerb && !/^(VERB|--help|--version)$/.test(first) && !isGroup(first, rest);
    });
    assert.deepEqual(unknown, []);
  });

  test('has options that its verb shows in its help', async () => {
    const verbs = [...new Set(commands.flatMap(({ words }) => verbOf(words) ?? []))];
    const options = new Map<string, ReadonlySet<string>>();
    for (const verb of verbs) options.set(verb, await optionsOf(verb));
    const unknown = commands.flatMap(({ path, words }) => {
      const verb = verbOf(words) ?? '';
      return words
        .filter((word) => /^--[a-z]/.test(word))
        .map((word) => word.split('=')[0] ?? '')
        .filter((word) => options.get(verb)?.has(word) === false)
        .map((word) => `${path}: espalier ${verb} ${word}`);
    });
    assert.deepEqual(unknown, []);
  });

  test('is there for every verb', () => {
    const told = new Set(commands.map(({ words }) => verbOf(words)));
    const untold = VERBS.filter(({ name }) => !told.has(name));
    assert.deepEqual(
      untold.map(({ name }) => name),
      [],
    );
  });
});

describe('an npm script of the documentation', () => {
  test('is one of package.json', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const named = readPages().flatMap(({ text }) =>
      [...text.matchAll(/\bnpm run (?:--silent )?([a-z]+)/g)].map((match) => match[1] ?? ''),
    );
    assert.ok(named.length > 10);
    assert.deepEqual(
      [...new Set(named)].filter((name) => scripts[name] === undefined),
      [],
    );
  });
});

/** Whether a word begins verbs of two words and stands for all of them. */
function isGroup(first: string, rest: readonly string[]): boolean {
  return rest.length === 0 && VERBS.some(({ name }) => name.startsWith(`${first} `));
}
