/** What the system wants on every ESP, as a value. A decision depends on it and on the view. */
import type { Malformed } from '../generation/generation.ts';
import type { Architecture } from '../loader/architecture.ts';
import type { DeclaredExtra } from './extras.ts';
import type { LeftOut } from './step.ts';
import type { WantedGeneration } from './wanted.ts';

/** The settings that a decision depends on, under their own names. */
export interface Policy {
  readonly 'entry-token': string;
  readonly 'boot-counting': number;
  /** In bytes. */
  readonly reserve: number;
  readonly force: boolean;
  /** Whether the previous boot loader is kept. */
  readonly 'loader-fallback': boolean;
  readonly 'require-verity': boolean;
  /** Whether firmware gets a boot entry for our boot loader afterwards. */
  readonly 'efi-entry'?: boolean;
  /** Whether EFI variables that override what was installed are cleared afterwards. */
  readonly 'clear-overrides'?: boolean;
  /** Whether the file of loader settings may say what boots next. */
  readonly 'keep-default': boolean;
  readonly 'loader-conf'?: string | undefined;
  readonly loader: Readonly<Record<string, string | number | boolean>>;
  readonly certificate?: string | undefined;
}

/** The boot loader to install. */
export interface LoaderSource {
  /** Its path outside the ESP. */
  readonly path: string;
  readonly version: string;
  readonly machine: number;
  /** In bytes. Its size on the ESP with our signature, if any: an upper bound. */
  readonly size: number;
}

/** What keeps an entry from finding its file systems. */
export interface Trouble {
  readonly text: string;
  /** Whether that cannot be decided here: the file systems may exist and be right. */
  readonly isUnknown: boolean;
}

/** A choice of what boots next. It stands until the profiles change. */
export interface StandingChoice {
  /** The entry that the profiles alone made boot next when the choice was found. */
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
  /**
   * ID of the entry that should boot next, according to the profiles or to whoever named a system.
   */
  readonly default: string;
  readonly standing?: StandingChoice | undefined;
  /** What is wrong with the file systems of an entry's root hashes, by the entry's ID. */
  readonly troubles: ReadonlyMap<string, readonly Trouble[]>;
  readonly musts: readonly WantedGeneration[];
  readonly wishes: readonly WantedGeneration[];
  readonly leftOut: readonly LeftOut[];
  readonly quarantined: readonly Malformed[];
  /** Real path of the running system. */
  readonly running: string | undefined;
  /** The running system's path, if no generation is that system any more. */
  readonly booted: string | undefined;
  /** Files besides those of generations. */
  readonly extras: readonly DeclaredExtra[];
  readonly warnings: readonly string[];
}
