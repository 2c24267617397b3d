/** Logs to stderr: lines for a person on a terminal, JSON otherwise. */
import { pino } from 'pino';
import type { Disk } from '../disk/disk.ts';
import { unsteered, writeError } from '../process/standard-output.ts';

/** Where events go. The message is constant, and the varying parts are in the fields. */
export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'>;

const LEVELS: Readonly<Record<string, string>> = { '-1': 'error', 0: 'warn', 1: 'info' };
const NAMES: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warning',
  50: 'error',
};

/** Priorities of syslog(3), by level. */
const PRIORITIES: Readonly<Record<number, number>> = { 20: 7, 30: 6, 40: 4, 50: 3 };

/**
 * Opens the log.
 * @param verbosity -1 for errors only, 0 for warnings too, 1 for phases, 2 for steps
 * @param journal whether stderr is connected to the journal, see {@link isJournal}
 */
export function openLog(verbosity: number, journal = false): Log {
  const options = { level: LEVELS[verbosity] ?? 'debug', base: null };
  if (process.stderr.isTTY) {
    return pino(options, { write: (line) => writeError(unsteered(pretty(line))) });
  }
  // Written synchronously, so that a run that ends badly does not lose its last lines.
  const write = (line: string) => writeError(unsteered(journal ? prioritised(line) : line));
  return pino(options, { write });
}

/**
 * Returns whether systemd connected stderr to the journal. `JOURNAL_STREAM` names the device and
 * inode of that connection (systemd.exec(5)); the inode differs when somebody redirected stderr.
 */
export function isJournal(
  disk: Pick<Disk, 'stat'>,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  const stream = environment['JOURNAL_STREAM'];
  const stat = stream === undefined ? undefined : disk.stat('/proc/self/fd/2');
  return stat !== undefined && stream === `${stat.device}:${stat.inode}`;
}

/**
 * Returns a line for the journal: it takes a leading `<N>` as the priority and removes it from the
 * text (systemd.exec(5) §SyslogLevelPrefix, sd-daemon(3)). The rest is the line of JSON.
 */
function prioritised(line: string): string {
  const level = /^\{"level":(\d+)/.exec(line)?.[1];
  return `<${PRIORITIES[Number(level)] ?? 6}>${line}`;
}

/** Returns a line of the JSON log as a person reads it. */
function pretty(line: string): string {
  const { level, msg, time: _time, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
  return `espalier: ${[`${NAMES[Number(level)] ?? level}:`, msg, ...rest].join(' ')}\n`;
}
