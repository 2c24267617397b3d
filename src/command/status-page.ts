/**
 * The page of `status`: will this machine start, what will it start, is anything to be done, how full is
 * it. Pure.
 */
import type { Finding } from '../html/machine-report.ts';
import type { LoaderStatus } from '../plan/loader-status.ts';
import { isWanting, type MenuEntry } from '../plan/menu.ts';
import { type Meaning, partsOf, plain, type Text } from '../process/styled-text.ts';
import { hanging, joined, shortened, unbroken, wrapped } from '../terminal/lines.ts';
import { harmless, printable } from '../terminal/printable.ts';
import { machineFindings, problemFinding } from './esp-findings.ts';
import { builtOf, kernelOf } from './menu-entry.ts';
import type { EspStatus, Problem, SeenEsp, Status } from './status-document.ts';
import { firstOf, roomLines } from './status-room.ts';

/** One ESP as the page shows it: what the document says, and what only a person is told. */
export interface ShownEsp {
  readonly status: SeenEsp;
  readonly menu: readonly MenuEntry[];
  /** In bytes. */
  readonly reserve: number;
  /** Why firmware starts nothing of this ESP. */
  readonly obstacles: readonly string[];
  /** The two copies of the boot loader; the previous one starts only by an entry of firmware. */
  readonly copies: readonly LoaderStatus[];
  /** Whether firmware refuses what is not signed. */
  readonly isSecureBoot: boolean;
  /** EFI variables by which another entry boots than the one that files name. */
  readonly overrides: readonly string[];
}

/** An ESP that was read, or why it was not. */
export type PageEsp = ShownEsp | { readonly status: EspStatus & { readonly problem: Problem } };

type Line = Text;

/** Columns that labels fill, with what lies before and behind them. */
const LABELS = 12;
/** Text that is wider is hard to read. */
const WIDEST = 100;
/** Narrower than this, a label stands above what it is for. */
const NARROW = 48;

/** Returns the page, in so many columns. */
export function statusPage(status: Status, esps: readonly PageEsp[], columns: number): Text {
  const isNarrow = columns < NARROW;
  const width = Math.min(WIDEST, columns - (isNarrow ? 2 : LABELS));
  // What is not the same for all ESPs stands below their names, further in.
  const inner = esps.length > 1 ? width - 2 : width;
  const rows: readonly (readonly [label: string, lines: readonly Line[]])[] = [
    ['Starts', perEsp(esps, (esp) => startLines(esp, inner))],
    ['Next', perEsp(esps, (esp) => nextLines(esp, inner))],
    ['Running', runningLines(status, esps, width)],
    ['Profile', [shortened(printable(status.current ?? 'none'), width)]],
    ['Menu', perEsp(esps, menuLines)],
    ['To do', toDoLines(status, esps, width)],
    ['Room', esps.flatMap((esp) => ('menu' in esp ? roomLines(esp, width) : []))],
    ['Also there', perEsp(esps, (esp) => noteLines(esp, inner))],
  ];
  return joined(
    rows.flatMap(([label, lines]) => labelled(label, lines, isNarrow)),
    '\n',
  );
}

function labelled(label: string, lines: readonly Line[], isNarrow: boolean): readonly Line[] {
  const head = { text: `${label}:`, meaning: 'heading' } as const;
  if (lines.length === 0) return [];
  if (isNarrow) return [head, ...lines.map((line) => indented(line, 2))];
  const [first = '', ...rest] = lines;
  const gap = ' '.repeat(LABELS - head.text.length);
  return [[head, gap, ...partsOf(first)], ...rest.map((line) => indented(line, LABELS))];
}

function indented(line: Line, columns: number): Line {
  return [' '.repeat(columns), ...partsOf(line)];
}

/** What is the same for all ESPs is said once. */
function perEsp(
  esps: readonly PageEsp[],
  linesOf: (esp: PageEsp) => readonly Line[],
): readonly Line[] {
  const all = esps.map((esp) => ({ name: placesOf(esp), lines: linesOf(esp) }));
  const groups = Map.groupBy(all, ({ lines }) => plain(joined(lines, '\n')));
  if (groups.size < 2) return all[0]?.lines ?? [];
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined || first.lines.length === 0) return [];
    const names = group.map(({ name }) => name).join(', ');
    return [
      { text: `${names}:`, meaning: 'quiet' },
      ...first.lines.map((line) => indented(line, 2)),
    ];
  });
}

function placesOf({ status }: PageEsp): string {
  const { esp, xbootldr } = 'entries' in status ? status : { esp: status.esp, xbootldr: undefined };
  return printable(xbootldr === undefined ? esp : `${esp} and ${xbootldr}`);
}

/** Returns a paragraph whose first word, as `yes`, means something. */
function paragraph(word: string, meaning: Meaning, text: string, width: number): readonly Line[] {
  const [first = '', ...rest] = wrapped(`${word}${text}`, width);
  return [[{ text: word, meaning }, first.slice(word.length)], ...rest];
}

/** Will this machine start? */
function startLines(esp: PageEsp, width: number): readonly Line[] {
  const [word, meaning, text] = verdictOf(esp);
  const loaders = 'menu' in esp ? esp.status.loaders : [];
  return [
    ...paragraph(word, meaning, text, width),
    ...loaders.map(
      ({ path, is }): Line => ({ text: `${path}  ${printable(is)}`, meaning: 'quiet' }),
    ),
  ];
}

type Verdict = readonly [word: string, meaning: Meaning, text: string];

function verdictOf(esp: PageEsp): Verdict {
  if (!('menu' in esp)) return ['unknown', 'bad', `: ${harmless(esp.status.problem.message)}`];
  const { status, menu, obstacles, copies, isSecureBoot, overrides } = esp;
  const next = menu.find((entry) => entry.default);
  const [told] = obstacles;
  const own = copies.filter(({ is }) => is !== 'foreign');
  if (told !== undefined) return ['no', 'bad', `, not from here: ${harmless(told)}`];
  if (own.every(({ problem }) => problem !== undefined)) {
    return ['no', 'bad', ': no copy of our boot loader would start'];
  }
  if (next === undefined) return ['no', 'bad', ': there is no boot entry'];
  if (next.damage !== undefined) return ['no', 'bad', ': what boots next is damaged'];
  if (isSecureBoot && isWanting(next)) return ['no', 'bad', ': what boots next is not signed'];
  if (status.nextIsBad) return ['perhaps', 'caution', ': what boots next never came up so far'];
  if (own.some(({ problem }) => problem !== undefined)) {
    return ['yes', 'caution', ', by the other copy of the boot loader'];
  }
  if (overrides.length > 0) return ['yes', 'caution', ', but with another entry: see below'];
  if (status.firmware !== undefined) return ['yes', 'caution', ', as it came up last: see below'];
  return ['yes', 'good', ', as far as names, sizes and headers tell'];
}

/** What will it start? */
function nextLines(esp: PageEsp, width: number): readonly Line[] {
  if (!('menu' in esp)) return [];
  const { status, menu } = esp;
  const { nextIsCurrent, nextIsBad, nextTriesLeft } = status;
  const next = menu.find((entry) => entry.default);
  if (next === undefined) return [{ text: 'nothing', meaning: 'bad' }];
  const notes = [
    ...(nextIsCurrent === undefined
      ? []
      : [nextIsCurrent ? 'as the profile says' : 'NOT what the profile says']),
    ...(nextIsBad ? ['BAD: no tries left'] : []),
    ...(nextTriesLeft ? [`tries left: ${nextTriesLeft}`] : []),
  ];
  const told = notes.map((note) => ` ${unbroken(`(${note})`)}`).join('');
  const word = nameOf(next);
  const meaning = nextIsCurrent === false || nextIsBad ? 'caution' : 'heading';
  return [
    ...paragraph(word, meaning, `${detailsOf(next)}${told}`, width),
    { text: shortened(printable(next.id), width), meaning: 'quiet' },
  ];
}

function nameOf({ name, title, id }: MenuEntry): string {
  return printable(name === undefined ? (title ?? id) : `generation ${name}`);
}

function detailsOf(entry: MenuEntry): string {
  const [kernel, built] = [kernelOf(entry), builtOf(entry)];
  return [kernel && `Linux ${kernel}`, built && `built ${built}`]
    .flatMap((detail) => (detail ? [`, ${detail}`] : []))
    .join('');
}

function menuLines(esp: PageEsp): readonly Line[] {
  if (!('menu' in esp)) return [];
  const { entries, damaged, onTrial, bad, neighbours = 0 } = esp.status;
  const other = { 'of another machine': neighbours };
  const notes = Object.entries({ damaged, 'on trial': onTrial, bad, ...other });
  const told = notes.flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
  return [[`${entries} ${entries === 1 ? 'entry' : 'entries'}`, ...told].join(', ')];
}

function runningLines(
  { booted, bootedIsCurrent }: Status,
  esps: readonly PageEsp[],
  width: number,
): readonly Line[] {
  const entries = esps.flatMap((esp) => ('menu' in esp ? esp.menu : []));
  const entry = entries.find((each) => each.booted);
  const path = shortened(printable(booted ?? ''), width);
  const restart =
    bootedIsCurrent === false
      ? ` (${unbroken('not what the profile says:')} ${unbroken('restart to run it)')}`
      : '';
  const name = entry ? nameOf(entry) : booted === undefined ? 'unknown' : 'no entry here';
  return [
    ...wrapped(`${name}${restart}`, width),
    ...(booted === undefined ? [] : [{ text: path, meaning: 'quiet' } as const]),
  ];
}

/** Is anything to be done? */
function toDoLines(
  { broken = [] }: Status,
  esps: readonly PageEsp[],
  width: number,
): readonly Line[] {
  const all = [
    ...machineFindings(broken),
    ...esps.flatMap((esp) => {
      const place = placesOf(esp);
      return findingsOn(esp).map((finding) => {
        const isClear = esps.length === 1 || finding.text.startsWith(place);
        return isClear ? finding : { ...finding, text: `${place}: ${finding.text}` };
      });
    }),
  ];
  if (all.length === 0) return [{ text: 'nothing', meaning: 'good' }];
  // One step may mend many things, and is told once, behind them.
  const bySteps = Map.groupBy(all, ({ next }) => next);
  return [...bySteps].flatMap(([next, found]) => [
    ...found.slice(0, FEW).flatMap((finding) => findingLines(finding, width)),
    ...(found.length > FEW ? [`  and ${found.length - FEW} more`] : []),
    ...(next === undefined ? [] : stepLines(next, width)),
  ]);
}

/** More of one kind would fill the screen. */
const FEW = 5;

/** An entry of a generation is told by its number, and any other file by its path. */
function findingsOn(esp: PageEsp): readonly Finding[] {
  if (!('menu' in esp)) return [problemFinding(esp.status.problem)];
  const numbered = esp.menu.flatMap(({ name, path }) =>
    name === undefined ? [] : [[path, `generation ${name}`] as const],
  );
  const names = new Map<string, string>(numbered);
  return esp.status.findings.map((finding) => {
    const { path, text } = finding;
    return path === undefined
      ? finding
      : { ...finding, text: `${names.get(path) ?? path}: ${text}` };
  });
}

const MARKS: Readonly<Record<Finding['weight'], string>> = { bad: '!', caution: '-' };

function findingLines({ weight, text, details = [] }: Finding, width: number): readonly Line[] {
  const [first = '', ...rest] = paragraph(
    ...([MARKS[weight], weight, ` ${fitted(text, width - 2)}`, width - 2] as const),
  );
  const named = firstOf(details).map((detail) => shortened(harmless(detail), width - 4));
  return [
    first,
    ...rest.map((line) => indented(line, 2)),
    ...named.flatMap((detail) => hanging(detail, width, 4)),
  ];
}

/** Returns text with long paths cut, and commands on one line. */
function fitted(text: string, width: number): string {
  return harmless(text)
    .replace(/\S+/g, (word) => shortened(word, width))
    .replace(/`[^`]+`/g, unbroken);
}

function stepLines(next: string, width: number): readonly Line[] {
  return paragraph('→', 'heading', ` ${fitted(next, width - 4)}`, width - 4).map((line, index) =>
    indented(line, index === 0 ? 2 : 4),
  );
}

function noteLines(esp: PageEsp, width: number): readonly Line[] {
  if (!('menu' in esp)) return [];
  return firstOf(
    esp.status.notes.map(({ path, note }) => `${printable(path)} (${printable(note)})`),
  ).flatMap((line) => hanging(line, width));
}
