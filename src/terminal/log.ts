/** Logs to stderr: plain sentences, or JSON for a program; with priorities for the journal. */
import { pino } from 'pino';
import { STANDARD_ERROR, writeError } from '../process/standard-output.ts';
import type { Meaning, Text } from '../process/styled-text.ts';
import { type LogStyle, logStyle } from './log-style.ts';
import { lookOf } from './screen.ts';

/** Where events go. The message is constant, and the varying parts are in the fields. */
export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'>;

const LEVELS: Readonly<Record<string, string>> = { '-1': 'error', 0: 'warn', 1: 'info' };
const NAMES: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warning',
  50: 'error',
};

const MEANINGS: Readonly<Record<number, Meaning>> = { 40: 'caution', 50: 'bad' };

/** Priorities of syslog(3), by level. */
const PRIORITIES: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3 };

/**
 * Opens the log.
 * @param verbosity -1 for errors only, 0 for warnings too, 1 for phases, 2 for steps
 */
export function openLog(verbosity: number): Log {
  const options = { level: LEVELS[verbosity] ?? 'debug', base: null };
  const written = WRITTEN[logStyle()];
  // Written synchronously, so that a run that ends badly does not lose its last lines.
  const look = () => ({ ...lookOf(process.env, STANDARD_ERROR), isAscii: false });
  return pino(options, { write: (line) => writeError(written(line), look) });
}

/** Returns a line of JSON as each style writes it. */
const WRITTEN: Readonly<Record<LogStyle, (line: string) => Text>> = {
  json: (line) => line,
  // The journal has the name of the service and the priority beside the text.
  'journal-json': (line) => `${priorityOf(line)}${line}`,
  journal: (line) => `${priorityOf(line)}${sentence(line)}\n`,
  text(line) {
    const { level } = JSON.parse(line) as { readonly level: number };
    const name = NAMES[level] ?? String(level);
    const meaning = MEANINGS[level];
    const word = meaning === undefined ? name : { text: name, meaning };
    return ['espalier: ', word, `: ${sentence(line)}\n`];
  },
};

/**
 * Returns what the journal takes as the priority of a line, and removes from its text (systemd.exec(5)
 * §SyslogLevelPrefix, sd-daemon(3)).
 */
function priorityOf(line: string): string {
  const level = /^\{"level":(\d+)/.exec(line)?.[1];
  return `<${PRIORITIES[Number(level)] ?? 6}>`;
}

/** Returns the words of a line, with its fields behind them. A name with a line end in it begins no line of its own. */
function sentence(line: string): string {
  const {
    level: _level,
    msg,
    time: _time,
    ...fields
  } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
  return [msg, rest.length > 0 ? `(${rest.join(', ')})` : '']
    .filter((each) => each !== '')
    .join(' ')
    .replaceAll('\n', '\\n');
}
