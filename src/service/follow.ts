/** One pass of the watcher: what `install` does, with a memory of the pass before. */
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { LOADER_CONF } from '../esp/layout.ts';
import { namedNext, parseLoaderConf } from '../loader/loader-conf.ts';
import type { Outcome } from '../pass/outcome.ts';
import { pass, type Tools } from '../pass/pass.ts';
import type { StandingChoice } from '../plan/wanted-system.ts';
import type { Settings } from '../settings/settings.ts';
import { openSurveyor } from '../survey/surveyor.ts';
import { formatSize } from '../voice/size.ts';
import { findTargets } from '../volumes/volumes.ts';
import { type Notices, noticesOf, noticesOfFailure } from './notices.ts';

/** What is known from one pass to the next. To forget it costs a line in the log. */
export interface Memory {
  /** The entry that the profiles made boot next when everything was last in line. */
  readonly followed?: string;
  /** What was to boot next when the primary ESP was last seen. */
  readonly next?: string;
  /** Whether the primary ESP was not there when it was last looked for. */
  readonly wasAway?: boolean;
  readonly notices: Notices;
  /** How the primary ESP stood when it was last seen. */
  readonly standing?: string;
  /** What was last changed on an ESP, and when. */
  readonly change?: string;
}

/**
 * Brings every ESP in line with the profiles.
 * @returns what is to be remembered, and whether all is in line
 */
export async function follow(
  settings: Settings,
  memory: Memory,
  tools: Tools,
): Promise<{ memory: Memory; settled: boolean }> {
  try {
    const { context } = tools;
    const roots = findTargets(settings, context);
    using surveyor = await openSurveyor(settings, undefined, context);
    const standing = standingChoice(roots[0], memory, context);
    const wants = {
      known: () => ({ ...surveyor.known(), standing }),
      renewed: async () => ({ ...(await surveyor.renewed()), standing }),
    };
    const outcomes = await pass(roots, wants, tools);
    return remember(memory, { outcomes, cautions: surveyor.known().cautions }, tools);
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
  { signal, context }: Tools,
): { memory: Memory; settled: boolean } {
  const settled = signal?.aborted !== true && outcomes.every(({ failure }) => !failure);
  const change = describeChange(outcomes, context.now);
  const [primary] = outcomes;
  const plan = primary?.plan;
  const memory = {
    ...before,
    notices: noticesOf(outcomes, cautions),
    wasAway: primary?.failure?.code === 'ESP_NOT_MOUNTED',
    ...(plan === undefined ? {} : { standing: describe(plan), next: plan.default }),
    ...(change === undefined ? {} : { change }),
    ...(settled && primary?.byProfiles !== undefined ? { followed: primary.byProfiles } : {}),
  };
  return { memory, settled };
}

function describe({ default: next, space }: NonNullable<Outcome['plan']>): string {
  return `${next} boots next, ${formatSize(space.after)} free`;
}

function describeChange(outcomes: readonly Outcome[], now: number): string | undefined {
  const changes = outcomes.flatMap(({ report }) => report?.changes ?? []);
  if (changes.length === 0) return undefined;
  const written = changes.filter(({ kind }) => kind === 'written').length;
  const time = new Date(now * 1000).toISOString();
  return `${written} written, ${changes.length - written} removed at ${time}`;
}

/** Says how things stand, in one line. */
export function statusOf({ notices, standing, change }: Memory): string {
  const wrong = [...notices.values()].find(({ level }) => level !== 'warn');
  const last = change === undefined ? undefined : `last change: ${change}`;
  return [wrong?.text, standing, last].filter((part) => part !== undefined).join('; ');
}

/**
 * `install TOPLEVEL` may have made another system boot next than the profiles say. Between two
 * changes of the profiles that choice stands: a watcher that took it back would fight the hook. What
 * came back from somewhere else, and says something new, is another disk or an older state of it.
 */
function standingChoice(
  primary: string | undefined,
  { followed, next, wasAway }: Memory,
  { disk }: Context,
): StandingChoice | undefined {
  if (followed === undefined || primary === undefined) return undefined;
  const chosen = namedDefault(disk, primary);
  const isChoice = chosen !== undefined && (!wasAway || chosen === next);
  return isChoice ? { followed, chosen } : undefined;
}

/** loader.conf is one sector when it is ours. Bytes. */
const CONF_LIMIT = 64 * 1024;

function namedDefault(disk: Disk, root: string): string | undefined {
  const path = `${root}/${LOADER_CONF}`;
  const stat = disk.stat(path);
  if (stat?.kind !== 'file' || stat.size > CONF_LIMIT) return undefined;
  const text = new TextDecoder().decode(disk.read(path, CONF_LIMIT));
  return namedNext(parseLoaderConf(text));
}
