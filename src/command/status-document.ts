/** The document that `status --json` prints. */
import type { EspError } from '../error.ts';
import type { Difference } from '../pass/drift.ts';
import type { LoaderStatus } from '../plan/loader-status.ts';

/** What keeps `install` from an ESP, or from what the profiles want. */
export interface Problem {
  readonly code: EspError['code'];
  readonly message: string;
  readonly hint: string | undefined;
}

/** How one ESP stands, or why nothing can be told of it. */
export type EspStatus = SeenEsp | { readonly esp: string; readonly problem: Problem };

/** How an ESP that can be read stands. Sizes in bytes. */
export interface SeenEsp {
  readonly esp: string;
  /** Why it cannot be made what the profiles want: it is read-only or full, or they want what cannot be. */
  readonly problem?: Problem;
  /** Where the XBOOTLDR partition is mounted, if there is one. */
  readonly xbootldr?: string;
  readonly bootsNext: string | undefined;
  /** Whether what boots next is the profile's current system; undefined when there is no profile to ask. */
  readonly nextIsCurrent: boolean | undefined;
  /** Whether what boots next is what runs; undefined when nobody knows what runs. */
  readonly nextIsBooted: boolean | undefined;
  readonly loaders: readonly LoaderStatus[];
  readonly entries: number;
  readonly damaged: number;
  /** Entries that are counted, and may be tried again. */
  readonly onTrial: number;
  /** Entries that were tried as often as they might be, and did not come up. */
  readonly bad: number;
  /** Whether what boots next is one of them. */
  readonly nextIsBad: boolean;
  /** How often what boots next may still be tried, where that is counted. */
  readonly nextTriesLeft: number | undefined;
  /** What `install` would mend; undefined where nobody can tell. */
  readonly fromProfiles: readonly Difference[] | undefined;
  /** What a mirror has that is not as on the primary; undefined where there is none to compare. */
  readonly fromPrimary: readonly Difference[] | undefined;
  /** Generations for which there is no room. */
  readonly leftOut: readonly string[];
  readonly space: {
    readonly total: number;
    readonly free: number;
    readonly ours: number;
    /** How many more entries fit that are as large as the largest and share nothing. */
    readonly roomFor: number;
  };
  /** Of the ESP itself, where the entries are on XBOOTLDR. */
  readonly espSpace?: { readonly total: number; readonly free: number };
}

/** How a machine stands. */
export interface Status {
  /** Real path of the running system. */
  readonly booted: string | undefined;
  /** Real path of the system that the profile leads to. */
  readonly current: string | undefined;
  readonly bootedIsCurrent: boolean | undefined;
  readonly esps: readonly EspStatus[];
}
