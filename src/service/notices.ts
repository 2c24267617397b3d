/** What is wrong at the moment: logged once when it begins, and once when it is over. */
import { EspError, explain } from '../error.ts';
import type { Outcome } from '../pass/outcome.ts';
import type { Log } from '../terminal/log.ts';

/** A problem that a person should know of for as long as it lasts. */
interface Notice {
  readonly level: 'error' | 'warn' | 'info';
  readonly text: string;
  readonly fields: Readonly<Record<string, string | undefined>>;
}

/** Notices by key. Keys tell notices apart, and words do not: words may count bytes. */
export type Notices = ReadonlyMap<string, Notice>;

/** Returns what a pass over the ESPs found wrong, and what a person should know beside that. */
export function noticesOf(outcomes: readonly Outcome[], cautions: readonly string[] = []): Notices {
  return new Map([
    ...outcomes.flatMap(({ root, failure }) =>
      failure ? [[`${root} ${kindOf(failure)}`, noticeOf(failure, root)] as const] : [],
    ),
    ...[...outcomes.flatMap(({ warnings }) => warnings), ...cautions].map(
      (text) => [text, { level: 'warn', text, fields: {} }] as const,
    ),
  ]);
}

/** Prefix of the key of a notice that concerns no single ESP. */
const GENERAL = 'general: ';

/**
 * Returns the notice of a pass that reached no ESP. Earlier notices of ESPs may still hold: they
 * stay.
 */
export function noticesOfFailure(failure: EspError, known: Notices): Notices {
  const key = `${GENERAL}${failure.code} ${failure.message}`;
  const others = [...known].filter(([other]) => !other.startsWith(GENERAL));
  return new Map([[key, noticeOf(failure)], ...others]);
}

/** Returns a notice for each directory that cannot be watched, by its path. */
export function noticesOfLookout(troubles: ReadonlyMap<string, unknown>): Notices {
  return new Map(
    [...troubles].map(([path, trouble]) => {
      const text = `${path} cannot be watched, its changes are seen at the next rescan`;
      return [`watch ${path}`, { level: 'warn', text, fields: { because: explain(trouble) } }];
    }),
  );
}

/**
 * Returns the codes of a failure and its causes. Its words may count bytes and name temporary
 * files.
 */
function kindOf({ code, cause }: EspError): string {
  return cause instanceof EspError ? `${code} ${kindOf(cause)}` : code;
}

// LOCKED is normal: the install hook is running.
function noticeOf(failure: EspError, esp?: string): Notice {
  const { code, hint } = failure;
  const level = code === 'LOCKED' ? 'info' : 'error';
  return { level, text: explain(failure), fields: { ...(esp && { esp }), code, hint } };
}

/**
 * Logs what began and what ended. Returns the current notices in the words that were logged first.
 */
export function announce(known: Notices, current: Notices, log: Log): Notices {
  for (const [key, { level, text, fields }] of current) {
    if (!known.has(key)) log[level](fields, text);
  }
  for (const [key, { text, fields }] of known) {
    if (!current.has(key))
      log.info({ esp: fields['esp'], code: fields['code'] }, `this is over: ${text}`);
  }
  return new Map([...current].map(([key, notice]) => [key, known.get(key) ?? notice]));
}
