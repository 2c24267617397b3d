/** Logging to stderr: lines for a person on a terminal, JSON for whatever collects it otherwise. */
import { pino } from 'pino';

/** Where events go. The message is constant; what varies is in the fields. */
export type Log = Pick<pino.Logger, 'debug' | 'info' | 'warn' | 'error'>;

const LEVELS: Readonly<Record<string, string>> = { '-1': 'error', 0: 'warn', 1: 'info' };
const NAMES: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warning',
  50: 'error',
};

/** Opens the log. @param verbosity -1 for errors only, 0 for warnings too, 1 for phases, 2 for steps */
export function openLog(verbosity: number): Log {
  const options = { level: LEVELS[verbosity] ?? 'debug', base: null };
  // Written at once: a run that ends badly must not take its last words with it.
  return process.stderr.isTTY
    ? pino(options, { write: (line) => process.stderr.write(pretty(line)) })
    : pino(options, pino.destination({ dest: 2, sync: true }));
}

/** Returns a line of the JSON log as a person reads it. */
function pretty(line: string): string {
  const { level, msg, time: _time, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => `${key}=${String(value)}`);
  return `espalier: ${[`${NAMES[Number(level)] ?? level}:`, msg, ...rest].join(' ')}\n`;
}
