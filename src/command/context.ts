/** What a verb works with: the world outside, as values, put together once at the edge. */
import type { WritableDisk } from '../disk/disk.ts';
import { appendInitrdSecrets } from '../disk/initrd-secrets-runner.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { writeOutput } from '../disk/standard-output.ts';
import type { SecretsRunner } from '../generation/initrd-secrets.ts';

/** Everything a verb may touch. */
export interface Context {
  readonly disk: WritableDisk;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly processId: number;
  /** Seconds since the epoch. */
  readonly now: number;
  readonly runSecrets: SecretsRunner;
  /** What a thread that hashes is started from. */
  readonly workerEntry: URL;
  readonly print: (text: string) => void;
}

/** Returns the context of this process. `workerEntry` is the program's own file. */
export function processContext(workerEntry: URL): Context {
  return {
    disk: nodeDisk(),
    environment: process.env,
    uid: process.getuid?.() ?? 0,
    processId: process.pid,
    now: Math.floor(Date.now() / 1000),
    runSecrets: appendInitrdSecrets,
    workerEntry,
    print: (text) => writeOutput(`${text}\n`),
  };
}
