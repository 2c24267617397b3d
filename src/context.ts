/** What a verb works with: the world outside, as values, put together once at the edge. */
import type { ImageEsps, WritableDisk } from './disk/disk.ts';
import type { GenerationMemory } from './generation/generation.ts';
import type { SecretsRunner } from './generation/initrd-secrets.ts';
import type { Environment, Machine } from './process/machine.ts';
import type { Text } from './process/styled-text.ts';

/** How much of something there is. `bytes` in bytes. */
export interface Amount {
  readonly bytes?: number;
  readonly files?: number;
}

/** Hears what is at work, so that whoever waits can be told. */
export interface Progress {
  /** Something else is at work from now on, and nothing of it is done. */
  readonly begin: (what: string, total?: Amount) => void;
  /** So many more bytes and files of it are done. */
  readonly advance: (bytes: number, files?: number) => void;
}

/** Everything a verb may touch. */
export interface Context {
  readonly disk: WritableDisk;
  /** The disk of the running system, where locks are; the same as `disk` without `--root`. */
  readonly host: WritableDisk;
  /** Child programs, threads and devices of the running system. */
  readonly machine: Machine;
  readonly environment: Environment;
  readonly uid: number;
  readonly processId: number;
  /** Seconds since the epoch. */
  readonly now: number;
  /** Undefined where no program that adds secrets is to be run. */
  readonly runSecrets: SecretsRunner | undefined;
  /**
   * The settings that the command line and the environment give, where `disk` is of another system:
   * a program that only that system names is not run.
   */
  readonly given?: ReadonlySet<string>;
  /** Whether nothing is asked of keys that are elsewhere, because nothing will be written. */
  readonly looksOnly?: true;
  readonly print: (text: Text) => void;
  /** Absent where nobody waits. */
  readonly progress?: Progress;
  /** How many columns a printed line may fill; without it, 80. */
  readonly columns?: () => number;
  /** The disk images that hold the ESPs; absent where ESPs are mounted, or the verb knows no images. */
  readonly images?: ImageEsps;
  /** Whether systems are taken whose `init` is not there, as lanzaboote takes them. */
  readonly acceptsAnyInit?: true;
  /** Generations read by earlier passes of this process. */
  readonly generations?: GenerationMemory;
}

/** Whether the disk is that of a system that is mounted, or in an image, and not running. */
export function isElsewhere({ disk, host }: Pick<Context, 'disk' | 'host'>): boolean {
  return disk.hostPath('/') !== host.hostPath('/');
}
