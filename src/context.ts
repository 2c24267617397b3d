/** What a verb works with: the world outside, as values, put together once at the edge. */
import type { WritableDisk } from './disk/disk.ts';
import type { EspPath } from './esp/layout.ts';
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
  /** The partitions besides the ESP, where the settings name any. */
  readonly volumes?: Volumes;
  readonly environment: Readonly<Record<string, string | undefined>>;
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
  /** What a thread that hashes is started from. */
  readonly workerEntry: URL;
  readonly print: (text: string) => void;
  /** Whether systems are taken whose `init` is not there, as lanzaboote takes them. */
  readonly acceptsAnyInit?: true;
  /** Generations read by earlier passes of this process. */
  readonly generations?: GenerationMemory;
}

/** A partition that may have entries of ours, though none belong there. */
export interface OtherVolume {
  readonly root: string;
  /** Why what is ours there is left alone all the same. */
  readonly stays?: string;
}

/** The partitions besides the ESP. Paths are real. */
export interface Volumes {
  /** Where the XBOOTLDR partition is mounted, if there is one. */
  readonly xbootldr: string | undefined;
  /** The disk on which ESP and XBOOTLDR are apart: the one to write to. */
  readonly apart: WritableDisk;
  /** Returns where on it a path of the tree leads. */
  readonly locate: (path: EspPath) => string;
  readonly others: readonly OtherVolume[];
  readonly warnings: readonly string[];
}
