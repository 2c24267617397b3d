/** What a workload's runs come to, and how that is shown. */
import { counted } from '../../src/quantity.ts';
import { KERNEL_SIZE } from './machine.ts';
import { MOST_MEMORY } from './memory.ts';
import type { Anatomy, Cost } from './process.ts';
import { formatMib, formatSpread, mean, type Spread, spread } from './statistics.ts';
import type { Workload } from './workload.ts';

/** All runs of one contender. */
export interface Runs {
  readonly name: string;
  readonly costs: readonly Cost[];
  readonly anatomy: Anatomy;
  readonly allocated: number | undefined;
}

/** The figures of one contender. Seconds and bytes. */
export interface Figures extends Anatomy {
  readonly name: string;
  readonly wall: Spread;
  readonly cpu: number;
  readonly read: number;
  readonly written: number;
  /** Of the output, where its size is worth a look. */
  readonly allocated: number | undefined;
  /** Wall time as a multiple of the median of what the target is measured by. */
  readonly ratio: Spread;
}

/** What was promised, and whether it is so. */
interface Promised {
  readonly promise: string;
  readonly kept: boolean;
}

export interface Result {
  readonly workload: Omit<Workload, 'contenders' | 'rounds'>;
  /** How often each contender was measured. */
  readonly rounds: number;
  readonly figures: readonly Figures[];
  readonly promises: readonly Promised[];
}

export function resultOf(
  { contenders: _, rounds: _often, ...workload }: Workload,
  runs: readonly Runs[],
): Result {
  const base = runs
    .filter(({ name }) => workload.target.of.includes(name))
    .reduce((sum, { costs }) => sum + spread(costs.map(({ wall }) => wall)).median, 0);
  const figures = runs.map(({ name, costs, anatomy, allocated }) => ({
    name,
    ...anatomy,
    allocated,
    wall: spread(costs.map(({ wall }) => wall)),
    cpu: mean(costs.map(({ cpu }) => cpu)),
    read: spread(costs.map(({ read }) => read)).median,
    written: spread(costs.map(({ written }) => written)).median,
    ratio: spread(costs.map(({ wall }) => wall / base)),
  }));
  const [ours] = figures;
  const rounds = runs[0]?.costs.length ?? 0;
  return { workload, rounds, figures, promises: ours ? judge(workload, ours) : [] };
}

/** What we write beside the image itself: tables of file systems twice, and what other programs are told. */
const MOST_WRITTEN = 1.1;

/** Judges our own figures. */
function judge(
  { target, needsPayload, isWrittenOnce = false }: Result['workload'],
  ours: Figures,
): Promised[] {
  const { atMost, dream, of } = target;
  const dreamt = dream === undefined ? '' : ` (dream ${dream})`;
  const promises = [
    {
      promise: `ratio to ${of.join(' + ')}: at most ${atMost}${dreamt}`,
      kept: ours.ratio.median <= atMost,
    },
    { promise: `peak memory: below ${formatMib(MOST_MEMORY)} MiB`, kept: ours.peak < MOST_MEMORY },
  ];
  if (isWrittenOnce) {
    const most = MOST_WRITTEN * (ours.allocated ?? 0);
    const promise = `written: at most ${MOST_WRITTEN} × what is allocated`;
    promises.push({ promise, kept: ours.written <= most });
  }
  // Less than the smallest of them, boot.json of every generation and the program itself included.
  const nothing = { promise: 'no kernel and no initrd is read', kept: ours.read < KERNEL_SIZE };
  return needsPayload ? promises : [...promises, nothing];
}

const HEADINGS = [
  '',
  'wall s',
  'ratio',
  'CPU s',
  'peak MiB',
  'processes',
  'read MiB',
  'written MiB',
];
const ALLOCATED = 'allocated MiB';

export function formatResult({ workload, rounds, figures, promises }: Result): string {
  const { id, title, payload } = workload;
  const hasOutput = figures.some(({ allocated }) => allocated !== undefined);
  const headings = hasOutput ? [...HEADINGS, ALLOCATED] : HEADINGS;
  const rows = figures.map((figure) => [
    figure.name,
    formatSpread(figure.wall, 3),
    formatSpread(figure.ratio, 2),
    figure.cpu.toFixed(3),
    formatMib(figure.peak),
    String(figure.processes),
    formatMib(figure.read),
    formatMib(figure.written),
    ...(hasOutput ? [formatMib(figure.allocated ?? 0)] : []),
  ]);
  return [
    `(${id}) ${title}; payload ${formatMib(payload)} MiB; ${counted(rounds, 'run')}`,
    ...columns([headings, ...rows]).map((line) => `  ${line}`),
    ...promises.map(({ promise, kept }) => `  ${promise}: ${kept ? 'reached' : 'NOT REACHED'}`),
  ].join('\n');
}

/** Aligns the first column to the left and the others to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const width = (index: number) => Math.max(...rows.map((row) => row[index]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(width(0)) : cell.padStart(width(index))))
      .join('  '),
  );
}
