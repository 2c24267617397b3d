/** `watch`: install's passes in a loop, as a service that follows the profiles until it is stopped. */
import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import type { GenerationMemory } from '../generation/generation.ts';
import { openSource } from '../generation/sources.ts';
import { type Claim, claimEsps } from '../service/claim.ts';
import { follow, type Memory, statusOf } from '../service/follow.ts';
import { createHerald, type Herald } from '../service/herald.ts';
import { announce, noticesOfLookout } from '../service/notices.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { readTiming } from '../settings/watch-options.ts';
import { isJournal, type Log, openLog } from '../voice/log.ts';
import { findServiceManager } from '../watch/notify.ts';
import { type Lookout, openLookout, type Place } from '../watch/poke.ts';
import { type Outcome, startLoop } from '../watch/reconcile.ts';

/** What changes while the service runs. */
interface State {
  settings: Settings;
  claim: Claim;
  memory: Memory;
  /** When everything was last looked at, in milliseconds of the process; undefined for not lately. */
  looked: number | undefined;
}

/** What the service works and speaks with. */
interface Kit {
  readonly context: Context;
  readonly log: Log;
  readonly herald: Herald;
  /** Milliseconds after which what is known of generations is looked at again. */
  readonly rescan: number;
  readonly generations: GenerationMemory;
  /** Aborted when the service is to end. */
  readonly signal: AbortSignal;
}

/** Follows the profiles until SIGTERM or SIGINT; SIGHUP makes it read the configuration again. */
export async function watch({ flags, verbosity }: Invocation, context: Context): Promise<number> {
  const { disk, host, machine, environment, processId } = context;
  const { timing, settings: given } = readTiming(flags);
  const settings = await readSettings(given, environment, disk);
  const claim = await claimEsps(settings, context);
  const state: State = { settings, claim, memory: { notices: new Map() }, looked: undefined };
  // A service tells what it does, not only what is wrong.
  const log = openLog(verbosity < 0 ? -1 : verbosity + 1, isJournal(host, environment));
  const herald = createHerald(findServiceManager(environment, processId, machine), log);
  const ending = new AbortController();
  const generations: GenerationMemory = new Map();
  const kit: Kit = {
    context: { ...context, generations },
    log,
    herald,
    rescan: timing.rescan,
    generations,
    signal: ending.signal,
  };
  const lookout = openLookout({ locate: locateIn(context), poke: () => loop.poke() });
  const loop = startLoop(() => reconcile(state, lookout, kit), timing);
  const end = (): void => {
    if (ending.signal.aborted) return;
    ending.abort();
    void herald.stopping();
    void loop.stop();
  };
  const release = onSignals({
    SIGTERM: end,
    SIGINT: end,
    SIGHUP: () => void reload(state, given, kit).then(loop.poke),
  });
  await herald.ready();
  try {
    await loop.ended;
  } finally {
    release();
    herald.close();
    await lookout.close();
    state.claim.lock.release();
  }
  return 0;
}

/** One pass, with eyes on the profiles before it looks at them. */
async function reconcile(state: State, lookout: Lookout, kit: Kit): Promise<Outcome> {
  const { context, log, herald, signal } = kit;
  if (state.looked === undefined || performance.now() - state.looked >= kit.rescan) {
    kit.generations.clear();
    state.looked = performance.now();
  }
  const troubles = await lookout.arm(openSource(state.settings, context.disk).watched());
  const { memory, settled } = await follow(state.settings, state.memory, {
    verb: 'watch',
    context: { ...context, now: Math.floor(Date.now() / 1000) },
    log: async () => log,
    tellsChanges: true,
    say: (text) => log.debug(text),
    // Who holds the lock now does what we would; once it is free there is little left to do.
    lockTimeout: 0,
    signal,
  });
  const current = new Map([...memory.notices, ...noticesOfLookout(troubles)]);
  state.memory = { ...memory, notices: announce(state.memory.notices, current, log) };
  if (!settled) state.looked = undefined;
  log.debug({ settled }, 'looked');
  await herald.status(statusOf(state.memory));
  return settled ? 'settled' : 'unsettled';
}

/** Reads the configuration again. One that is wrong changes nothing. */
async function reload(state: State, given: RawSettings, kit: Kit): Promise<void> {
  const { context, log, herald } = kit;
  await herald.reloading();
  try {
    const settings = await readSettings(given, context.environment, context.disk);
    state.claim = await claimEsps(settings, context, state.claim);
    state.settings = settings;
    state.looked = undefined;
    log.info('read the configuration again');
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    const { code, hint } = error;
    log.error({ code, hint }, `the settings stay as they were: ${explain(error)}`);
  }
  await herald.ready();
}

/** A directory that may not be looked at is as good as none; the pass says what is wrong with it. */
function locateIn({ disk }: Context): (path: string) => Place | undefined {
  return (path) => {
    try {
      const real = disk.realPath(path);
      const stat = real === undefined ? undefined : disk.stat(real);
      if (real === undefined || stat?.kind !== 'directory') return undefined;
      return { path: disk.hostPath(real) ?? real, identity: `${stat.device}:${stat.inode}` };
    } catch (error) {
      if (error instanceof EspError) return undefined;
      throw error;
    }
  };
}

/** Returns what takes the handlers off again. */
function onSignals(handlers: Partial<Record<NodeJS.Signals, () => void>>): () => void {
  const entries = Object.entries(handlers);
  for (const [signal, handler] of entries) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of entries) process.off(signal, handler);
  };
}
