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
