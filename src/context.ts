/** What a verb works with: the world outside, as values, put together once at the edge. */
import type { WritableDisk } from './disk/disk.ts';
import type { GenerationMemory } from './generation/generation.ts';
import type { SecretsRunner } from './generation/initrd-secrets.ts';

/** Everything a verb may touch. */
export interface Context {
  readonly disk: WritableDisk;
  /** The disk of the running system, where locks are; the same as `disk` without `--root`. */
  readonly host: WritableDisk;
  /** Returns the path under which the running system finds a file of `disk`. */
  readonly locate: (path: string) => string;
  /** Whether `disk` is that of a system that is mounted and not running. */
  readonly isElsewhere: boolean;
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
