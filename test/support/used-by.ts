/** Serves every verb with one list of options: it drops the options that a verb does not use. */
import { optionsOf } from '../../src/command/verb.ts';
import { VERBS } from '../../src/command/verbs.ts';

const KNOWN = new Map(VERBS.flatMap(optionsOf).map((option) => [option.name, option]));

/**
 * Returns a command line without the options that its verb refuses because only other verbs use them.
 * The verb comes first.
 */
export function usedBy(argv: readonly string[]): string[] {
  const verb = VERBS.find(({ name }) => `${argv.join(' ')} `.startsWith(`${name} `));
  if (verb === undefined) return [...argv];
  const used = new Set(optionsOf(verb).map(({ name }) => name));
  const kept: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? '';
    const [flag = '', ...joined] = word.replace(/^--/, '').split('=');
    const option = word.startsWith('--') ? KNOWN.get(flag) : undefined;
    const isUsed = option === undefined || used.has(flag);
    if (isUsed) kept.push(word);
    if (option?.value === undefined || joined.length > 0) continue;
    at++;
    if (isUsed && at < argv.length) kept.push(argv[at] ?? '');
  }
  return kept;
}
