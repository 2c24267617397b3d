/** What the service manager is told about us; nothing is told twice. */
import { EspError, explain } from '../error.ts';
import type { Log } from '../voice/log.ts';
import type { ServiceManager } from '../watch/notify.ts';

/** Tells the service manager, if there is one, how we are (sd_notify(3)). */
export interface Herald {
  /** The service has started, or has read its configuration again. */
  ready(): Promise<void>;
  /** It is about to read its configuration again. */
  reloading(): Promise<void>;
  /** It has been told to end, and will when the running phase is finished. */
  stopping(): Promise<void>;
  /** One line for a person. */
  status(text: string): Promise<void>;
  /** Stops saying that we are alive. */
  close(): void;
}

/** Returns a herald. A message that cannot be sent is logged once, and the service goes on without. */
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
    // By this time the manager tells the answer to its own request from an earlier one's.
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
