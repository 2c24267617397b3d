/**
 * Sends messages to the service manager (sd_notify(3)), and reads what it expects
 * (sd_watchdog_enabled(3)).
 *
 * Messages go to a datagram socket. Node has no such sockets, so `systemd-notify` sends them: one
 * short process for each message, so there are few messages. It waits until the message was
 * received. Where it may not send in our name it sends in its own, so the unit says
 * `NotifyAccess=all`.
 */
import { EspError } from '../error.ts';
import type { Environment, Machine } from '../process/machine.ts';

/** The service manager that started this process, or nobody. */
export interface ServiceManager {
  /**
   * Sends assignments as one message, after all earlier ones.
   * @throws {IO} when it cannot be sent
   */
  notify(message: Readonly<Record<string, string>>): Promise<void>;
  /** Milliseconds between two signs of life that it wants; undefined when it wants none. */
  readonly pingInterval: number | undefined;
}

const nobody: ServiceManager = { notify: async () => undefined, pingInterval: undefined };

/** Returns the service manager that the environment names. */
export function findServiceManager(
  environment: Environment,
  processId: number,
  machine: Pick<Machine, 'run'>,
): ServiceManager {
  if (!environment['NOTIFY_SOCKET']) return nobody;
  let last: Promise<unknown> = Promise.resolve();
  return {
    notify(message) {
      const sent = last.then(() => send(message, environment, machine));
      last = sent.catch(() => undefined);
      return sent;
    },
    pingInterval: pingInterval(environment, processId),
  };
}

/** Returns half of the time after which the manager would take this process for dead. */
function pingInterval(environment: Environment, processId: number): number | undefined {
  const { WATCHDOG_PID: addressee, WATCHDOG_USEC: microseconds } = environment;
  if (addressee !== undefined && Number(addressee) !== processId) return undefined;
  const interval = Math.floor(Number(microseconds) / 2000);
  return interval > 0 ? interval : undefined;
}

const PROGRAM = 'systemd-notify';
/** The longest time for a message, in seconds. */
const PATIENCE = 10;

async function send(
  message: Readonly<Record<string, string>>,
  { PATH, NOTIFY_SOCKET }: Environment,
  machine: Pick<Machine, 'run'>,
): Promise<void> {
  // A line break would end the assignment and begin another one.
  const assignments = Object.entries(message).map(
    ([name, value]) => `${name}=${value.replace(/\s+/g, ' ')}`,
  );
  const complaint = await machine.run(
    { argv: [PROGRAM, ...assignments], directory: '/', environment: { PATH, NOTIFY_SOCKET } },
    { timeout: PATIENCE },
  );
  if (complaint === undefined) return;
  throw new EspError('IO', `${PROGRAM} ${Object.keys(message).join(' ')}: ${complaint.what}`, {
    cause: complaint.cause,
    hint: 'see that it is in the PATH of the unit, and that NotifyAccess= is all',
  });
}
