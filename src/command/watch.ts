/** `watch`: runs the passes of `install` in a loop, as a service that follows the profiles. */
import type { Context, Progress } from '../context.ts';
import { EspError, explain } from '../error.ts';
import { openSource } from '../generation/sources.ts';
import { type Claim, claimEsps } from '../service/claim.ts';
import { follow, type Memory, statusOf } from '../service/follow.ts';
import { createHerald, type Herald } from '../service/herald.ts';
import { announce, noticesOfLookout } from '../service/notices.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { readTiming } from '../settings/watch-options.ts';
import { type Log, openLog } from '../terminal/log.ts';
import { requireMounts } from '../volumes/image-targets.ts';
import { findServiceManager } from '../watch/notify.ts';
import { type Lookout, openLookout, type Place } from '../watch/poke.ts';
import { type Outcome, startLoop } from '../watch/reconcile.ts';

/** What changes while the service runs. */
interface State {
  settings: Settings;
  claim: Claim;
  memory: Memory;
  /**
   * When generations were last read anew, in milliseconds of `performance.now`; undefined forces
   * it.
   */
  lastFullRead: number | undefined;
}

/** What the service keeps from its start to its end. */
interface WatchRun {
  readonly context: Context;
  readonly log: Log;
  readonly herald: Herald;
  /** Milliseconds after which the service reads every generation anew. */
  readonly rescan: number;
  /** Aborted when the service has to end. */
  readonly signal: AbortSignal;
}

/** Follows the profiles until SIGTERM or SIGINT; SIGHUP makes it read the configuration again. */
export async function watch({ flags, verbosity }: Invocation, context: Context): Promise<number> {
  const { disk, machine, environment, processId } = context;
  const { timing, settings: given } = readTiming(flags);
  const settings = await readSettings(given, environment, disk);
  requireMounts(settings, context);
  const claim = await claimEsps(settings, context);
  const state: State = { settings, claim, memory: { notices: new Map() }, lastFullRead: undefined };
  // A service logs what it does, not only what is wrong.
  const log = openLog(verbosity < 0 ? -1 : verbosity + 1);
  const herald = createHerald(findServiceManager(environment, processId, machine), log);
  const ending = new AbortController();
  const run: WatchRun = {
    context: { ...context, generations: new Map() },
    log,
    herald,
    rescan: timing.rescan,
    signal: ending.signal,
  };
  const lookout = openLookout({ locate: locateIn(context), poke: () => loop.poke() });
  const loop = startLoop(() => reconcile(state, lookout, run), timing);
  const end = (): void => {
    if (ending.signal.aborted) return;
    ending.abort();
    void herald.stopping();
    void loop.stop();
  };
  const release = onSignals({
    SIGTERM: end,
    SIGINT: end,
    SIGHUP: () => void reload(state, given, run).then(loop.poke),
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

/** Nobody waits for a service: its journal says what it does, to those who ask for every step. */
function loggedProgress(log: Log): Progress {
  return { begin: (what) => log.debug(what), advance: () => undefined };
}

/** Makes one pass. It watches the profiles before it reads them, so it misses no change. */
async function reconcile(state: State, lookout: Lookout, run: WatchRun): Promise<Outcome> {
  const { context, log, herald, signal } = run;
  if (state.lastFullRead === undefined || performance.now() - state.lastFullRead >= run.rescan) {
    run.context.generations?.clear();
    state.lastFullRead = performance.now();
  }
  const troubles = await lookout.arm(openSource(state.settings, context.disk).watched());
  const { memory, settled } = await follow(state.settings, state.memory, {
    verb: 'watch',
    context: { ...context, now: Math.floor(Date.now() / 1000), progress: loggedProgress(log) },
    log: async () => log,
    tellsChanges: true,
    // The holder of the lock does what this pass would do. The next pass finds little left.
    lockTimeout: 0,
    signal,
  });
  const current = new Map([...memory.notices, ...noticesOfLookout(troubles)]);
  state.memory = { ...memory, notices: announce(state.memory.notices, current, log) };
  if (!settled) state.lastFullRead = undefined;
  log.debug({ settled }, 'looked');
  await herald.status(statusOf(state.memory));
  return settled ? 'settled' : 'unsettled';
}

/** Reads the configuration again. A wrong configuration changes nothing. */
async function reload(state: State, given: RawSettings, run: WatchRun): Promise<void> {
  const { context, log, herald } = run;
  await herald.reloading();
  try {
    const settings = await readSettings(given, context.environment, context.disk);
    state.claim = await claimEsps(settings, context, state.claim);
    state.settings = settings;
    state.lastFullRead = undefined;
    log.info('read the configuration again');
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    const { code, hint } = error;
    log.error({ code, hint }, `the settings stay as they were: ${explain(error)}`);
  }
  await herald.ready();
}

/** Treats a directory that cannot be read as absent. The pass reports what is wrong with it. */
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

/** Installs the handlers, and returns a function that removes them. */
function onSignals(handlers: Partial<Record<NodeJS.Signals, () => void>>): () => void {
  const entries = Object.entries(handlers);
  for (const [signal, handler] of entries) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of entries) process.off(signal, handler);
  };
}
