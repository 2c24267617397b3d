/** One pass of the watcher: what `install` does, with a memory of the pass before. */
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { patternId } from '../esp/layout.ts';
import { namedDefault } from '../inspection/named-default.ts';
import type { Outcome } from '../pass/outcome.ts';
import { type PassContext, pass } from '../pass/pass.ts';
import type { StandingChoice } from '../plan/wanted-system.ts';
import { formatSize } from '../quantity.ts';
import type { Settings } from '../settings/settings.ts';
import { openSurveyor } from '../survey/surveyor.ts';
import { findTargets } from '../volumes/volumes.ts';
import { type Notices, noticesOf, noticesOfFailure } from './notices.ts';

/** What the watcher remembers from one pass to the next. Losing it costs one line in the log. */
export interface Memory {
  /** The entry that the profiles made boot next when all ESPs were last in line with them. */
  readonly followed?: string;
  /** The entry that was to boot next when the watcher last saw the primary ESP. */
  readonly next?: string;
  /** Whether the primary ESP was absent when the watcher last looked for it. */
  readonly wasAway?: boolean;
  readonly notices: Notices;
  /** One line about the primary ESP as the watcher last saw it. */
  readonly standing?: string;
  /** One line about the last change on any ESP, with its time. */
  readonly change?: string;
}

/**
 * Brings every ESP in line with the profiles.
 * @returns the new memory, and whether every ESP is in line
 */
export async function follow(
  settings: Settings,
  memory: Memory,
  passContext: PassContext,
): Promise<{ memory: Memory; settled: boolean }> {
  try {
    const { context } = passContext;
    const roots = findTargets(settings, context);
    using surveyor = await openSurveyor(settings, undefined, context);
    const standing = standingChoice(roots[0], memory, context);
    const wants = {
      known: () => ({ ...surveyor.known(), standing }),
      renewed: async () => ({ ...(await surveyor.renewed()), standing }),
    };
    const outcomes = await pass(roots, wants, passContext);
    return remember(memory, { outcomes, cautions: surveyor.known().cautions }, passContext);
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    const notices = noticesOfFailure(error, memory.notices);
    const wasAway = memory.wasAway || error.code === 'ESP_NOT_MOUNTED';
    return { memory: { ...memory, notices, wasAway }, settled: false };
  }
}

/** What a pass found, and what a person should know beside that. */
interface Found {
  readonly outcomes: readonly Outcome[];
  readonly cautions: readonly string[];
}

function remember(
  before: Memory,
  { outcomes, cautions }: Found,
  { signal, context }: PassContext,
): { memory: Memory; settled: boolean } {
  const settled = signal?.aborted !== true && outcomes.every(({ failure }) => !failure);
  const change = describeChange(outcomes, context.now);
  const [primary] = outcomes;
  const plan = primary?.plan;
  const memory = {
    ...before,
    notices: noticesOf(outcomes, cautions),
    wasAway: primary?.failure?.code === 'ESP_NOT_MOUNTED',
    ...(plan === undefined ? {} : { standing: describePlan(plan), next: plan.default }),
    ...(change === undefined ? {} : { change }),
    ...(settled && primary?.byProfiles !== undefined ? { followed: primary.byProfiles } : {}),
  };
  return { memory, settled };
}

function describePlan({ default: next, space }: NonNullable<Outcome['plan']>): string {
  return `${next} boots next, ${formatSize(space.after)} free`;
}

function describeChange(outcomes: readonly Outcome[], now: number): string | undefined {
  const changes = outcomes.flatMap(({ report }) => report?.changes ?? []);
  if (changes.length === 0) return undefined;
  const written = changes.filter(({ kind }) => kind === 'written').length;
  const time = new Date(now * 1000).toISOString();
  return `${written} written, ${changes.length - written} removed at ${time}`;
}

/** Returns one line that says how things stand. */
export function statusOf({ notices, standing, change }: Memory): string {
  const wrong = [...notices.values()].find(({ level }) => level !== 'warn');
  const last = change === undefined ? undefined : `last change: ${change}`;
  return [wrong?.text, standing, last].filter((part) => part !== undefined).join('; ');
}

/**
 * `install TOPLEVEL` may have chosen another system than the profiles. Until the profiles change,
 * that choice stands: a watcher that took it back would fight the hook. An ESP that was away and
 * comes back with a new choice is another disk or an older state of it, so its choice is ignored.
 */
function standingChoice(
  primary: string | undefined,
  { followed, next: last, wasAway }: Memory,
  { disk }: Context,
): StandingChoice | undefined {
  if (followed === undefined || primary === undefined) return undefined;
  const next = last && patternId(last);
  const chosen = namedDefault(disk, primary);
  const isChoice = chosen !== undefined && (!wasAway || chosen === next);
  return isChoice ? { followed, chosen } : undefined;
}
