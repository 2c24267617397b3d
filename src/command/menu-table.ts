/** The boot menu as a table for a person: what each entry is, within the width of a terminal. Pure. */
import type { MenuEntry } from '../plan/menu.ts';
import type { Meaning, Part, Text } from '../process/styled-text.ts';
import { enumerated, formatSize } from '../quantity.ts';
import { hanging, joined, shortened } from '../terminal/lines.ts';
import { printable } from '../terminal/printable.ts';
import { cut, formatTable, widthOf } from '../terminal/table.ts';
import type { BrokenGeneration } from './broken.ts';
import { builtOf, kernelOf } from './menu-entry.ts';

/** The cells that may be cut to fit, in this order, and how much of each has to stay. */
const CUTTABLE: readonly (readonly [column: number, least: number])[] = [
  [2, 12],
  [0, 12],
];
/** In columns. */
const LONGEST_NAME = 40;
const HEAD = ['GENERATION', 'BUILT', 'KERNEL', 'SIZE', 'STATE'] as const;

/** How much is shown. */
export interface MenuOptions {
  /** Also file names, and nothing is cut. */
  readonly long: boolean;
  /** The width that the table fills at most, unless it is long. */
  readonly columns: number;
}

/**
 * Returns the menu as a table, in its order; broken generations come last. Below it stands which entries
 * share an image, and why an entry is damaged.
 */
export function renderMenu(
  entries: readonly MenuEntry[],
  broken: readonly BrokenGeneration[],
  { long, columns }: MenuOptions,
): Text {
  const rows: readonly Row[] = [
    ...entries.map((entry) => ({
      cells: cellsOf(entry),
      states: statesOf(entry),
      path: entry.path,
    })),
    ...broken.map(({ generation }) => ({
      cells: [printable(generation), '', '', ''],
      states: [{ text: 'broken', meaning: 'bad' } as const],
      path: '',
    })),
  ];
  if (rows.length === 0) return 'no boot entries';
  const table = formatTable(
    [...HEAD, ...(long ? ['FILE'] : [])],
    (long ? rows : fitted(rows, columns)).map(({ cells, states, path }) => [
      ...[...cells, joined(states, ', ')],
      ...(long ? [printable(path)] : []),
    ]),
  );
  const damaged = entries.flatMap((entry) =>
    entry.damage === undefined
      ? []
      : [`${nameFor(entry, long)}: damaged: ${printable(entry.damage)}`],
  );
  const added = long ? companions(entries) : [];
  const told = [...shares(entries), ...added, ...damaged];
  return joined([table, ...told.flatMap((line) => fittedLine(line, { long, columns }))], '\n');
}

/** Returns a line as it stands below a table: where nothing may be cut, it is not broken either. */
export function fittedLine(line: string, { long, columns }: MenuOptions): readonly string[] {
  return long ? [line] : hanging(shortened(line, columns), columns);
}

/** What stubs add to entries: those that get the same stand together. */
function companions(entries: readonly MenuEntry[]): string[] {
  const groups = Map.groupBy(entries, (entry) => (entry.companions ?? []).join(', '));
  return [...groups].flatMap(([files, group]) => {
    const word = group.length === 1 ? 'gets' : 'get';
    return files === '' ? [] : [`${enumerated(group.map(nameOf))} ${word} ${printable(files)}`];
  });
}

/** One line of the table. */
interface Row {
  /** What stands before the states. */
  readonly cells: readonly string[];
  readonly states: readonly Part[];
  readonly path: string;
}

/** Of images that entries share: removing one of the entries frees next to nothing. */
function shares(entries: readonly MenuEntry[]): string[] {
  const told = new Set<string>();
  for (const { sharesWith = [], id, size, frees } of entries) {
    if (sharesWith.length === 0) continue;
    const sharers = entries.filter((other) => other.id === id || sharesWith.includes(other.id));
    told.add(`${enumerated(sharers.map(nameOf))} share ${formatSize(size - frees)}`);
  }
  return [...told];
}

/** Returns the rows with the longest cells cut, as far as the table is wider than a terminal. */
function fitted(rows: readonly Row[], columns: number): readonly Row[] {
  const fitting = rows.map((row) => ({ ...row, cells: [...row.cells] }));
  for (const [column, least] of CUTTABLE) {
    const all = fitting.map(({ cells, states }) => [...cells, joined(states, ', ')]);
    const width = widthOf(formatTable(HEAD, all));
    const widest = widthOf(fitting.map(({ cells }) => cells[column] ?? '').join('\n'));
    const room = Math.max(least, widest - Math.max(0, width - columns));
    for (const { cells } of fitting) cells[column] = cut(cells[column] ?? '', room);
  }
  return fitting;
}

function cellsOf(entry: MenuEntry): string[] {
  return [nameOf(entry), builtOf(entry), kernelOf(entry), sizeOf(entry)];
}

/** Returns the generation and its specialisation; of an entry of others what the menu shows. */
function nameOf({ name, title, id }: MenuEntry): string {
  return printable(name ?? title ?? id);
}

/** What others call an entry may fill lines. */
function nameFor(entry: MenuEntry, long: boolean): string {
  return long ? nameOf(entry) : cut(nameOf(entry), LONGEST_NAME);
}

/** Returns what goes with the entry, and what others need as well. */
function sizeOf({ size, frees }: MenuEntry): string {
  return size === frees ? formatSize(size) : `${formatSize(frees)} +${formatSize(size - frees)}`;
}

/** What a person should know of an entry before it is chosen, the most important first. */
function statesOf(entry: MenuEntry): readonly Part[] {
  const { counter, damage, unsigned } = entry;
  const states: readonly (readonly [boolean, string, Meaning?])[] = [
    [damage !== undefined, 'damaged', 'bad'],
    [entry.default, 'next', 'good'],
    [entry.booted, 'running', 'good'],
    [entry.pinned, 'pinned'],
    [counter?.triesLeft === 0, 'bad: no tries left', 'bad'],
    [(counter?.triesLeft ?? 0) > 0, `tries left: ${counter?.triesLeft}`, 'caution'],
    [unsigned !== undefined, 'not signed by us', 'caution'],
    [entry.neighbour === true, 'of another machine', 'quiet'],
  ];
  return states.flatMap(([holds, text, meaning]) =>
    holds ? [meaning === undefined ? text : { text, meaning }] : [],
  );
}
