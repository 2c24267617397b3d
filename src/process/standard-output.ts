/** Text on standard output and standard error, without the stream machinery that it does not need. */
import * as fs from 'node:fs';
import { errno } from '../io-error.ts';
import { type Look, shown, type Text, unsteered } from './styled-text.ts';

export const STANDARD_OUTPUT = 1;
export const STANDARD_ERROR = 2;
/** Milliseconds between two tries on a pipe that is full. */
const POLL = 5;

/**
 * Writes text to standard output. What was done is done: that it cannot be told is one line on standard
 * error and no failure. A reader that has gone away, as `head` does, is not even that.
 */
export function writeOutput(text: Text, look: () => Look): void {
  clearPassing();
  const lost = writeAll(STANDARD_OUTPUT, asWritten(text, look));
  if (lost !== undefined && tellsLoss()) {
    writeAll(STANDARD_ERROR, `what was done could not be told: standard output: ${lost}\n`);
  }
}

/** Writes text to standard error; what is lost there is one line on standard output, but for `--json`. */
export function writeError(text: Text, look: () => Look): void {
  clearPassing();
  const lost = writeAll(STANDARD_ERROR, asWritten(text, look));
  if (lost === undefined || process.argv.includes('--json') || !tellsLoss()) return;
  writeAll(STANDARD_OUTPUT, `a warning could not be told: standard error: ${lost}\n`);
}

/** Whether a file of this process is a terminal. Only for a device is it worth loading what can tell. */
export function isTerminal(file: number): boolean {
  return isDevice(file) && process.getBuiltinModule('node:tty').isatty(file);
}

function isDevice(file: number): boolean {
  try {
    return fs.fstatSync(file).isCharacterDevice();
  } catch {
    // Whoever started this closed it.
    return false;
  }
}

/** Returns how many columns the terminal has on which a file appears; undefined when it is none. */
export function terminalColumns(file: number): number | undefined {
  if (!isTerminal(file)) return undefined;
  return (file === STANDARD_ERROR ? process.stderr : process.stdout).columns;
}

/** Moves to the beginning of the line, and empties it (ECMA-48 §8.3.41). */
const EMPTIED = '\r\u001b[K';

/** Whether a line stands on the terminal that gives way to the next text. */
let isPassing = false;

/** Shows a line on standard error, which is a terminal, until there is other text, or another such line. */
export function showPassing(line: string, look: Look): void {
  writeAll(STANDARD_ERROR, `${EMPTIED}${shown(line, look)}`);
  isPassing = true;
}

/** Takes away the line of {@link showPassing}, if there is one. */
export function clearPassing(): void {
  if (!isPassing) return;
  isPassing = false;
  writeAll(STANDARD_ERROR, EMPTIED);
}

/** Plain text, as a JSON document is, means nothing in particular: nothing is asked of the environment. */
function asWritten(text: Text, look: () => Look): string {
  return typeof text === 'string' ? unsteered(text) : shown(text, look());
}

let hasToldLoss = false;

/** One line is enough, however much is lost. */
function tellsLoss(): boolean {
  if (hasToldLoss) return false;
  hasToldLoss = true;
  return true;
}

/** Returns why not all of it could be written; undefined also where nobody reads any more. */
function writeAll(file: number, text: string): string | undefined {
  const bytes = new TextEncoder().encode(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(file, bytes, done);
    } catch (error) {
      const code = errno(error) ?? 'unknown error';
      // EBADF: whoever started this closed it.
      if (code === 'EPIPE' || code === 'EBADF') return undefined;
      if (code !== 'EAGAIN') return code;
      // Somebody made the pipe non-blocking and it is full: its reader needs a moment.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL);
    }
  }
  return undefined;
}
