/** The watcher's pass over a machine in a temporary directory, one pass at a time and without its loop. */
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import type { Context } from '../../src/context.ts';
import type { PassContext } from '../../src/pass/pass.ts';
import { follow, type Memory } from '../../src/service/follow.ts';
import { readSettings, type Settings } from '../../src/settings/settings.ts';
import { MAIN, type Machine } from '../command/a-machine.ts';

/** Who remembers nothing, as at the start of the service. */
const NOTHING: Memory = { notices: new Map() };

/** What a pass came to. */
export type Followed = Awaited<ReturnType<typeof follow>>;

/** Settings and context of a machine, as the service has them. */
export async function aService(
  machine: Machine,
  more: Readonly<Record<string, unknown>> = {},
): Promise<{ settings: Settings; context: Context }> {
  const real = processContext(pathToFileURL(MAIN));
  const context = {
    ...real,
    environment: machine.environment(),
    // Not the superuser: locks then lie in a directory of this test's own.
    uid: real.uid || 1,
    now: 1_700_000_000,
  };
  const flags = {
    esp: [machine.esp],
    'allow-directory': true,
    profiles: [machine.profiles],
    systemd: machine.systemd,
    booted: `${machine.root}/booted`,
    'cache-dir': `${machine.root}/cache`,
    'allow-unsigned': true,
    ...more,
  };
  return { settings: await readSettings(flags, context.environment, context.disk), context };
}

/** Makes one pass over a machine. */
export async function passOver(
  machine: Machine,
  memory: Memory = NOTHING,
  more: Partial<PassContext> & { readonly settings?: Readonly<Record<string, unknown>> } = {},
): Promise<Followed> {
  const { settings: flags, ...tools } = more;
  const { settings, context } = await aService(machine, flags);
  return follow(settings, memory, {
    verb: 'watch',
    context,
    log: () => Promise.reject(new Error('nobody reads the log')),
    tellsChanges: false,
    lockTimeout: 0,
    ...tools,
  });
}
