/** What a verb works with: the world outside, as values, put together once at the edge. */
import type { WritableDisk } from '../disk/disk.ts';
import { appendInitrdSecrets } from '../disk/initrd-secrets-runner.ts';
import { nodeDisk } from '../disk/node-disk.ts';
import { writeOutput } from '../disk/standard-output.ts';
import { EspError } from '../error.ts';
import type { GenerationMemory } from '../generation/generation.ts';
import type { SecretsRunner } from '../generation/initrd-secrets.ts';
import type { Volumes } from './volumes.ts';

/** Everything a verb may touch. */
export interface Context {
  readonly disk: WritableDisk;
  /** The disk of the running system, where locks are; the same as `disk` without `--root`. */
  readonly host: WritableDisk;
  /** Returns the path under which the running system finds a file of `disk`. */
  readonly locate: (path: string) => string;
  /** Whether `disk` is that of a system that is mounted and not running. */
  readonly isElsewhere: boolean;
  /** The partitions besides the ESP, where the settings name any. */
  readonly volumes?: Volumes;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly processId: number;
  /** Seconds since the epoch. */
  readonly now: number;
  readonly runSecrets: SecretsRunner;
  /** What a thread that hashes is started from. */
  readonly workerEntry: URL;
  readonly print: (text: string) => void;
  /** Generations read by earlier passes of this process. */
  readonly generations?: GenerationMemory;
}

/** Returns the context of this process. `workerEntry` is the program's own file. */
export function processContext(workerEntry: URL): Context {
  const disk = nodeDisk();
  return {
    disk,
    host: disk,
    locate: (path) => path,
    isElsewhere: false,
    environment: process.env,
    uid: process.getuid?.() ?? 0,
    processId: process.pid,
    now: Math.floor(Date.now() / 1000),
    runSecrets: appendInitrdSecrets,
    workerEntry,
    print: (text) => writeOutput(`${text}\n`),
  };
}

/**
 * Returns a context in which every path is one below another root.
 * @throws {CONFIG_INVALID} when there is no such directory
 */
export async function contextBelow(root: string, context: Context): Promise<Context> {
  const real = context.host.realPath(root);
  if (real === undefined || context.host.stat(real)?.kind !== 'directory') {
    throw new EspError('CONFIG_INVALID', `--root ${root}: no such directory`, {
      hint: 'mount the system first, and its ESP below it',
    });
  }
  if (real === '/') return context;
  const { rootedDisk } = await import('../disk/rooted-disk.ts');
  const disk = rootedDisk(context.host, real);
  return {
    ...context,
    disk,
    locate: disk.locate,
    isElsewhere: true,
    runSecrets: async ({ program, initrd, directory }) => {
      const made = await appendInitrdSecrets(
        { program, initrd: disk.locate(initrd), directory: disk.locate(directory) },
        { root: real },
      );
      return { ...made, path: made.path.slice(real.length) };
    },
  };
}
