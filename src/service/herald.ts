/** Tells the service manager how the service is. No status text is sent twice in a row. */
import { EspError, explain } from '../error.ts';
import type { Log } from '../terminal/log.ts';
import type { ServiceManager } from '../watch/notify.ts';

/** Tells the service manager, if there is one, how the service is (sd_notify(3)). */
export interface Herald {
  /** Says that the service has started, or has read its configuration again. */
  ready(): Promise<void>;
  /** Says that the service is about to read its configuration again. */
  reloading(): Promise<void>;
  /** Says that the service will end when the running phase is finished. */
  stopping(): Promise<void>;
  /** Sends one line for a person. */
  status(text: string): Promise<void>;
  /** Stops the watchdog messages. */
  close(): void;
}

/** Returns a herald. A message that cannot be sent is logged once, and the service goes on. */
export function createHerald(manager: ServiceManager, log: Log): Herald {
  let told = '';
  let complained = false;
  const tell = async (message: Readonly<Record<string, string>>): Promise<void> => {
    try {
      await manager.notify(message);
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      if (!complained) log.error({ code: error.code, hint: error.hint }, explain(error));
      complained = true;
    }
  };
  const { pingInterval } = manager;
  const ping =
    pingInterval === undefined
      ? undefined
      : setInterval(() => void tell({ WATCHDOG: '1' }), pingInterval);
  return {
    ready: () => tell({ READY: '1' }),
    // This time lets the manager match the answer to its request, and not to an earlier one.
    reloading: () => tell({ RELOADING: '1', MONOTONIC_USEC: `${process.hrtime.bigint() / 1000n}` }),
    stopping: () => tell({ STOPPING: '1' }),
    async status(text) {
      if (text === told) return;
      told = text;
      await tell({ STATUS: text });
    },
    close: () => clearInterval(ping),
  };
}
