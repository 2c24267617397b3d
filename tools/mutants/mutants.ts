/**
 * `npm run mutants`: changes the source in small ways and checks that the tests notice. With `--few`
 * it tries one mutant of each list; with other words, those whose ID or room begins with one of them.
 */
import { LISTS } from './lists.ts';
import { fewOf, type Mutant, roomOf } from './mutant.ts';
import { tryAll, type Verdict } from './trial.ts';

function chosen(words: readonly string[]): readonly Mutant[] {
  if (words.includes('--few')) return fewOf(LISTS);
  const all = LISTS.flat();
  if (words.length === 0) return all;
  return all.filter((mutant) =>
    words.some((word) => mutant.id.startsWith(word) || roomOf(mutant).startsWith(word)),
  );
}

function lineOf({ mutant, killed, because, took }: Verdict): string {
  const seconds = (took / 1000).toFixed(1).padStart(5);
  const end = killed
    ? mutant.killedBy.file
    : `${because}\n    ${mutant.killedBy.file}: ${mutant.why}`;
  return `${killed ? 'killed  ' : 'SURVIVED'} ${seconds} s  ${mutant.id.padEnd(44)} ${end}`;
}

function table(verdicts: readonly Verdict[]): string {
  const rooms = Map.groupBy(verdicts, ({ mutant }) => roomOf(mutant));
  const rows = [...rooms].map(([room, own]) => [room, own] as const);
  return [...rows, ['all', verdicts] as const]
    .map(([room, own]) => {
      const killed = own.filter((verdict) => verdict.killed).length;
      return `${room.padEnd(14)} ${String(own.length).padStart(3)} mutants, ${killed} killed`;
    })
    .join('\n');
}

const mutants = chosen(process.argv.slice(2));
const start = performance.now();
const verdicts = await tryAll(mutants, (verdict) => console.log(lineOf(verdict)));
console.log(`\n${table(verdicts)}\n${((performance.now() - start) / 1000).toFixed(0)} s`);
process.exitCode = verdicts.length > 0 && verdicts.every(({ killed }) => killed) ? 0 : 1;
