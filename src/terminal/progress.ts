/** Tells whoever waits what is at work, once it has taken a while. */
import type { Amount, Progress } from '../context.ts';
import type { Environment } from '../process/machine.ts';
import {
  clearPassing,
  isTerminal,
  STANDARD_ERROR,
  showPassing,
  terminalColumns,
  writeError,
} from '../process/standard-output.ts';
import { atMost } from './lines.ts';
import { logStyle } from './log-style.ts';
import { lookOf, USUAL_COLUMNS } from './screen.ts';
import { formatSize } from './size.ts';

/** In milliseconds: who waits for less is told nothing. */
const PATIENCE = 1000;
/** Milliseconds between two looks of the same line, and between two lines where none can be redrawn. */
const REDRAW = 200;
const LINES = 10_000;

/** Where progress is told. */
export interface Teller {
  /** Whether one line can be drawn again and again. */
  readonly isTerminal: boolean;
  /** How many columns a drawn line may fill. */
  readonly columns: number;
  /** Draws a line in place of the one before. */
  readonly draw: (line: string) => void;
  /** Writes a line that stays. */
  readonly write: (line: string) => void;
  /** Takes away what was drawn, and whatever was put in place for it. */
  readonly clear: () => void;
}

/** Progress that somebody ends. */
export type OpenProgress = Progress & Disposable;

/**
 * Opens the progress of a run: on standard error, and nothing where nobody waits, that is for a program,
 * under systemd and with `--quiet`.
 */
export function openProgress(
  { json, verbosity }: { readonly json: boolean; readonly verbosity: number },
  environment: Environment,
): OpenProgress {
  const isSilent = json || verbosity < 0 || logStyle() !== 'text';
  return isSilent ? SILENT : progressOn(() => standardError(environment));
}

const SILENT: OpenProgress = {
  begin: () => undefined,
  advance: () => undefined,
  [Symbol.dispose]: () => undefined,
};

/** What is at work, how much of it there is, and how much is done. */
interface Work {
  readonly what: string;
  readonly total: Amount;
  readonly since: number;
  bytes: number;
  files: number;
}

/** Returns progress that is told there. Nothing is asked of the place before there is something to tell. */
export function progressOn(open: () => Teller): OpenProgress {
  let work: Work | undefined;
  let teller: Teller | undefined;
  let timer: NodeJS.Timeout | undefined;
  let due = Number.POSITIVE_INFINITY;
  // A long computation lets no timer through, so whoever reports looks at the clock, too.
  const look = () => {
    const now = Date.now();
    if (work === undefined || now < due) return;
    const isFirst = teller === undefined;
    teller ??= open();
    due = now + (teller.isTerminal ? REDRAW : LINES);
    if (teller.isTerminal) teller.draw(lineOf(work, now, teller.columns));
    else if (!isFirst) teller.write(lineOf(work, now));
  };
  const end = () => {
    clearInterval(timer);
    timer = undefined;
    work = undefined;
    teller?.clear();
  };
  return {
    begin(what, total = {}) {
      const now = Date.now();
      if (timer === undefined) {
        due = now + PATIENCE;
        timer = setInterval(look, REDRAW).unref();
      }
      work = { what, total, since: now, bytes: 0, files: 0 };
    },
    advance(bytes, files = 0) {
      if (work === undefined) return;
      work.bytes += bytes;
      work.files += files;
      look();
    },
    [Symbol.dispose]: end,
  };
}

/** Returns what is at work, how much of it is done, and how fast. How much counts more than a long name. */
function lineOf(
  { what, total, since, bytes, files }: Work,
  now: number,
  columns = Number.POSITIVE_INFINITY,
): string {
  const seconds = (now - since) / 1000;
  const done = total.bytes === undefined ? bytes : Math.min(bytes, total.bytes);
  const parts = [
    ...(total.files !== undefined && total.files > 1 ? [`${files} of ${total.files} files`] : []),
    ...(total.bytes ? [`${Math.floor((done / total.bytes) * 100)} %`] : []),
    ...(total.bytes ? [`${formatSize(done)} of ${formatSize(total.bytes)}`] : []),
    ...(total.bytes === undefined && done > 0 ? [formatSize(done)] : []),
    ...(done > 0 && seconds >= 1 ? [`${formatSize(Math.round(done / seconds))}/s`] : []),
  ];
  const amounts = parts.length > 0 ? `: ${parts.join(', ')}` : '';
  return atMost(`${atMost(what, Math.max(1, columns - amounts.length))}${amounts}`, columns);
}

/** Signals that end a run, and would leave half a line behind. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function standardError(environment: Environment): Teller {
  const canDraw = isTerminal(STANDARD_ERROR) && environment['TERM'] !== 'dumb';
  const look = { ...lookOf(environment, STANDARD_ERROR), isColoured: false };
  const endBy = (signal: NodeJS.Signals) => {
    clear();
    process.kill(process.pid, signal);
  };
  const clear = () => {
    for (const signal of ENDING) process.off(signal, endBy);
    clearPassing();
  };
  if (canDraw) for (const signal of ENDING) process.on(signal, endBy);
  return {
    isTerminal: canDraw,
    // The last column stays free: some terminals begin a new line once it is filled.
    get columns() {
      return (terminalColumns(STANDARD_ERROR) || USUAL_COLUMNS) - 1;
    },
    draw: (line) => showPassing(line, look),
    write: (line) => writeError(`espalier: ${line}\n`, () => look),
    clear,
  };
}
