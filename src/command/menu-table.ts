/** The boot menu as a table for a person: what each entry is, within 80 columns. Pure. */
import type { MenuEntry } from '../plan/menu.ts';
import { formatSize } from '../quantity.ts';
import { printable } from '../terminal/printable.ts';
import { cut, formatTable, widthOf } from '../terminal/table.ts';
import type { BrokenGeneration } from './broken.ts';

/** In columns of a terminal. */
const WIDTH = 80;
/** The cells that may be cut to fit, in this order, and how much of each has to stay. */
const CUTTABLE: readonly (readonly [column: number, least: number])[] = [
  [2, 12],
  [0, 12],
];
const HEAD = ['GENERATION', 'BUILT', 'KERNEL', 'SIZE', 'STATE'] as const;

/** How much is shown. */
export interface MenuOptions {
  /** Also file names, and nothing is cut. */
  readonly long: boolean;
}

/**
 * Returns the menu as a table, in its order; broken generations come last. Below it stands which entries
 * share an image, and why an entry is damaged.
 */
export function renderMenu(
  entries: readonly MenuEntry[],
  broken: readonly BrokenGeneration[],
  { long }: MenuOptions,
): string {
  const rows = [
    ...entries.map((entry) => [...cellsOf(entry), ...(long ? [printable(entry.path)] : [])]),
    ...broken.map(({ generation }) => [printable(generation), '', '', '', 'broken']),
  ];
  if (rows.length === 0) return 'no boot entries';
  const table = long ? formatTable([...HEAD, 'FILE'], rows) : formatTable(HEAD, fitted(rows));
  const damaged = entries.flatMap((entry) =>
    entry.damage === undefined ? [] : [`${nameOf(entry)}: damaged: ${printable(entry.damage)}`],
  );
  return [table, ...shares(entries), ...damaged].join('\n');
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

/** How many of the entries that share an image are named. */
const NAMED = 8;

function enumerated(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Returns the rows with the longest cells cut, as far as the table is wider than a terminal. */
function fitted(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const cells = rows.map((row) => [...row]);
  for (const [column, least] of CUTTABLE) {
    const width = widthOf(formatTable(HEAD, cells));
    const widest = widthOf(cells.map((row) => row[column] ?? '').join('\n'));
    const room = Math.max(least, widest - Math.max(0, width - WIDTH));
    for (const row of cells) row[column] = cut(row[column] ?? '', room);
  }
  return cells;
}

function cellsOf(entry: MenuEntry): string[] {
  const states = statesOf(entry).join(', ');
  return [nameOf(entry), builtOf(entry), kernelOf(entry), sizeOf(entry), states];
}

/** Returns the generation and its specialisation; of an entry of others what the menu shows. */
function nameOf({ name, title, id }: MenuEntry): string {
  return printable(name ?? title ?? id);
}

/** The version of an entry of ours ends with the day on which its generation was built. */
function builtOf({ name, version = '' }: MenuEntry): string {
  return (name === undefined ? undefined : /\d{4}-\d\d-\d\d$/.exec(version)?.[0]) ?? '';
}

/** The title of an entry of ours names the kernel, or its version begins with it. */
function kernelOf({ name, title = '', version = '' }: MenuEntry): string {
  if (name === undefined) return '';
  const found = /\(Linux ([^()]+)\)/.exec(title) ?? /^(\d[^\s,]*),/.exec(version);
  return printable(found?.[1] ?? '');
}

/** Returns what goes with the entry, and what others need as well. */
function sizeOf({ size, frees }: MenuEntry): string {
  return size === frees ? formatSize(size) : `${formatSize(frees)} +${formatSize(size - frees)}`;
}

/** What a person should know of an entry before it is chosen, the most important first. */
function statesOf(entry: MenuEntry): string[] {
  const { counter, damage, unsigned } = entry;
  const states: readonly (readonly [boolean, string])[] = [
    [damage !== undefined, 'damaged'],
    [entry.default, 'next'],
    [entry.booted, 'running'],
    [entry.pinned, 'pinned'],
    [counter?.triesLeft === 0, 'bad: no tries left'],
    [(counter?.triesLeft ?? 0) > 0, `tries left: ${counter?.triesLeft}`],
    [unsigned !== undefined, 'not signed by us'],
    [entry.neighbour === true, 'of another machine'],
  ];
  return states.flatMap(([holds, state]) => (holds ? [state] : []));
}
