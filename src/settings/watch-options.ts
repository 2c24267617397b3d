/** The options of `watch` alone. */
import { EspError } from '../error.ts';
import type { Timing } from '../watch/reconcile.ts';
import type { RawSettings } from './configuration-file.ts';
import type { Option } from './option.ts';

export const WATCH_OPTIONS: readonly Option[] = [
  {
    name: 'debounce',
    value: 'MS',
    help: 'milliseconds from a change to the pass that follows it (default: 500)',
  },
  {
    name: 'rescan',
    value: 'SECONDS',
    help: 'look at everything this often, 0 for never (default: 900)',
  },
];

/** Milliseconds from a failed pass to the next. */
const RETRY = { first: 1000, longest: 60_000 };
/** In milliseconds. The longest delay of a timer in Node. */
const LONGEST = 2 ** 31 - 1;

/**
 * Separates the flags of `watch` from the settings that it shares with other verbs.
 * @throws {CONFIG_INVALID} when one is no number, or too large
 */
export function readTiming(flags: RawSettings): { timing: Timing; settings: RawSettings } {
  const { debounce = '500', rescan = '900', ...settings } = flags;
  const timing = {
    debounce: milliseconds('debounce', debounce, 1),
    rescan: milliseconds('rescan', rescan, 1000),
    retry: RETRY,
  };
  return { timing, settings };
}

function milliseconds(name: string, given: unknown, unit: number): number {
  const value = /^\d{1,10}$/.test(String(given)) ? Number(given) * unit : Number.NaN;
  if (value <= LONGEST) return value;
  const message = `--${name}: expected a number from 0 to ${Math.floor(LONGEST / unit)}`;
  throw new EspError('CONFIG_INVALID', message, { hint: 'see espalier watch --help' });
}
