/** What the system wants on every ESP, as a value: the other half of what a decision depends on. */
import type { Malformed } from '../generation/generation.ts';
import type { Architecture } from '../loader/architecture.ts';
import type { DeclaredExtra } from './extras.ts';
import type { LeftOut } from './step.ts';
import type { WantedGeneration } from './wanted.ts';

/** The settings that decide, under their own names. */
export interface Policy {
  readonly 'entry-token': string;
  readonly 'boot-counting': number;
  /** Bytes. */
  readonly reserve: number;
  readonly force: boolean;
  readonly 'require-verity': boolean;
  /** Let the file of loader settings say what boots next. */
  readonly 'keep-default': boolean;
  readonly 'loader-conf'?: string | undefined;
  readonly loader: Readonly<Record<string, string | number | boolean>>;
  readonly certificate?: string | undefined;
}

/** The boot loader that is brought. */
export interface LoaderSource {
  /** Path outside the ESP. */
  readonly path: string;
  readonly version: string;
  readonly machine: number;
  /** Bytes that it has on the ESP, with our signature if there is one: an upper bound. */
  readonly size: number;
}

/** What keeps an entry from its file systems. */
export interface Trouble {
  readonly text: string;
  /** Nobody can tell from here: it may be there and right. */
  readonly isUnknown: boolean;
}

/** A choice of what boots next that stands until the profiles say something new. */
export interface StandingChoice {
  /** The entry that the profiles alone made boot next when the choice was seen. */
  readonly followed: string;
  readonly chosen: string;
}

/** What the system wants on every ESP. */
export interface WantedSystem {
  readonly settings: Policy;
  readonly signer: { readonly fingerprint: string };
  readonly architecture: Architecture;
  readonly loader: LoaderSource;
  /** Whether entries name kernels that firmware would check and that nobody signs. */
  readonly hasBareKernels: boolean;
  /** The text of the file that the setting `loader-conf` names. */
  readonly loaderConf: string | undefined;
  /** The ID of the entry that the profiles, or whoever named a system, want to boot next. */
  readonly default: string;
  readonly standing?: StandingChoice | undefined;
  /** By the ID of an entry, what is wrong with the file systems that its root hashes name. */
  readonly troubles: ReadonlyMap<string, readonly Trouble[]>;
  readonly musts: readonly WantedGeneration[];
  readonly wishes: readonly WantedGeneration[];
  readonly leftOut: readonly LeftOut[];
  readonly quarantined: readonly Malformed[];
  /** Real path of the running system. */
  readonly running: string | undefined;
  /** The same, if no generation has it any more. */
  readonly booted: string | undefined;
  /** Files beside those of generations. */
  readonly extras: readonly DeclaredExtra[];
  readonly warnings: readonly string[];
}
