/** How figures and findings are shown. */
import type { Figures } from './case.ts';

const COLUMNS = {
  writes: (figures) => figures.writes,
  epochs: (figures) => figures.epochs,
  prefixes: (figures) => figures.prefixes,
  reorderings: (figures) => figures.reorderings,
  states: (figures) => figures.states,
  'runs in a guest': (figures) => figures.guests,
  boots: (figures) => figures.boots,
  findings: (figures) => figures.findings.length,
} as const satisfies Record<string, (figures: Figures) => number>;

/** Returns a table in Markdown, with a sum below and the windows after it. */
export function formatFigures(all: readonly Figures[]): string {
  const names = Object.keys(COLUMNS);
  const rows = all.map((figures) => [
    figures.scenario,
    ...Object.values(COLUMNS).map((read) => read(figures)),
  ]);
  const sums = Object.values(COLUMNS).map((read) => all.reduce((sum, each) => sum + read(each), 0));
  const windows = all.flatMap(({ scenario, windows, prefixes, reorderings }) =>
    Object.entries(windows).map(
      ([window, count]) =>
        `${scenario}: ${window} at ${count} of ${prefixes + reorderings} moments`,
    ),
  );
  return [
    ...[['scenario', ...names], ['---', ...names.map(() => '--:')], ...rows, ['all', ...sums]].map(
      (row) => `| ${row.join(' | ')} |`,
    ),
    ...(windows.length > 0 ? ['', ...windows] : []),
  ].join('\n');
}

/** Equal findings are told once, with the first moments at which they were made. */
const SHOWN = 3;

/** Returns a line for each finding of a scenario, or one that says that there is none. */
export function formatFindings({ scenario, findings, seconds }: Figures): string[] {
  const groups = Map.groupBy(findings, ({ clause, what }) => `${clause}: ${what}`);
  return [
    `  ${scenario}: ${findings.length} findings, ${seconds.toFixed(0)} s`,
    ...[...groups].map(([what, alike]) => {
      const cuts = alike.slice(0, SHOWN).map(({ cut }) => cut);
      return `  ${alike.length} × ${what} [${cuts.join(' / ')}]`;
    }),
  ];
}

/** What became of one world under torture: how often each damage was done, and each verb ended how. */
export interface Tally {
  readonly world: string;
  cases: number;
  runs: number;
  lies: number;
  readonly damages: Record<string, number>;
  readonly ends: Record<string, number>;
}

/** Returns a table in Markdown, with a sum below, and the counts after it. */
export function formatTorture(tallies: readonly Tally[]): string {
  const rows = tallies.map(({ world, cases, damages, runs, lies }) => [
    world,
    ...[cases, Object.values(damages).reduce((sum, each) => sum + each, 0), runs, lies],
  ]);
  const sums = [1, 2, 3, 4].map((at) => rows.reduce((sum, row) => sum + Number(row[at]), 0));
  const header = ['world', 'cases', 'damages', 'runs', 'lies'];
  const table = [header, ['---', '--:', '--:', '--:', '--:'], ...rows, ['all', ...sums]];
  const counts = (pick: (tally: Tally) => Record<string, number>) => {
    const all = new Map<string, number>();
    for (const [name, count] of tallies.flatMap((tally) => Object.entries(pick(tally)))) {
      all.set(name, (all.get(name) ?? 0) + count);
    }
    return [...all]
      .sort()
      .map(([name, count]) => `${name}: ${count}`)
      .join(', ');
  };
  return [
    ...table.map((row) => `| ${row.join(' | ')} |`),
    '',
    `damage: ${counts(({ damages }) => damages)}`,
    `verbs and how they ended: ${counts(({ ends }) => ends)}`,
  ].join('\n');
}
