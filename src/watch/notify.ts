/**
 * Words to the service manager (sd_notify(3)), and what it expects of us (sd_watchdog_enabled(3)).
 *
 * They go to a datagram socket, a kind Node does not have, so `systemd-notify` sends them: one short
 * process for each message, which is why there are few. It waits until the message was taken, and
 * where it may not speak in our name it speaks in its own: the unit says `NotifyAccess=all`.
 */
import { spawn } from 'node:child_process';
import { EspError } from '../error.ts';

/** Someone who started us and wants to know how we are, or nobody. */
export interface ServiceManager {
  /**
   * Sends assignments as one message, after all earlier ones.
   * @throws {IO} when it cannot be sent
   */
  notify(message: Readonly<Record<string, string>>): Promise<void>;
  /** How often it wants to hear that we are alive, in milliseconds; undefined when it does not. */
  readonly pingInterval: number | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const nobody: ServiceManager = { notify: async () => undefined, pingInterval: undefined };

/** Returns the service manager that the environment names. */
export function findServiceManager(environment: Environment, processId: number): ServiceManager {
  if (!environment['NOTIFY_SOCKET']) return nobody;
  let last: Promise<unknown> = Promise.resolve();
  return {
    notify(message) {
      const sent = last.then(() => send(message, environment));
      last = sent.catch(() => undefined);
      return sent;
    },
    pingInterval: pingInterval(environment, processId),
  };
}

/** Half of the time after which we would be taken for dead. */
function pingInterval(environment: Environment, processId: number): number | undefined {
  const { WATCHDOG_PID: addressee, WATCHDOG_USEC: microseconds } = environment;
  if (addressee !== undefined && Number(addressee) !== processId) return undefined;
  const interval = Math.floor(Number(microseconds) / 2000);
  return interval > 0 ? interval : undefined;
}

const PROGRAM = 'systemd-notify';
/** How long a message may take, in milliseconds. */
const PATIENCE = 10_000;

function send(message: Readonly<Record<string, string>>, environment: Environment): Promise<void> {
  // A line break would end the assignment and begin another one.
  const assignments = Object.entries(message).map(
    ([name, value]) => `${name}=${value.replace(/\s+/g, ' ')}`,
  );
  const { PATH, NOTIFY_SOCKET } = environment;
  const child = spawn(PROGRAM, assignments, { env: { PATH, NOTIFY_SOCKET }, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  const sent = new Promise<void>((resolve, reject) => {
    const fail = (reason: string, cause?: unknown): void =>
      reject(
        new EspError('IO', `${PROGRAM} ${Object.keys(message).join(' ')}: ${reason}`, {
          cause,
          hint: 'see that it is in the PATH of the unit, and that NotifyAccess= is all',
        }),
      );
    child.once('error', (error) => fail('cannot be run', error));
    child.once('exit', (status, signal) => {
      if (status === 0) resolve();
      else fail(signal === null ? `failed with status ${status}` : `ended by ${signal}`);
    });
  });
  return sent.finally(() => clearTimeout(timer));
}
