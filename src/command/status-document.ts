/** The document that `status --json` prints. */
import type { EspError } from '../error.ts';
import type { Finding } from '../html/machine-report.ts';
import type { Difference } from '../pass/drift.ts';
import type { LoaderStatus } from '../plan/loader-status.ts';
import type { SharedImage } from '../plan/menu.ts';
import type { Note } from '../plan/notes.ts';
import type { BrokenGeneration } from './broken.ts';

/** What keeps `install` from an ESP, or from what the profiles want. */
export interface Problem {
  readonly code: EspError['code'];
  readonly message: string;
  readonly hint: string | undefined;
}

/** How one ESP stands, or why nothing is known about it. */
export type EspStatus = SeenEsp | { readonly esp: string; readonly problem: Problem };

/** How a readable ESP stands. Sizes in bytes. */
export interface SeenEsp {
  readonly esp: string;
  /** Why `install` cannot bring it in line: it is read-only or full, or a wish cannot be met. */
  readonly problem?: Problem;
  /** Where the XBOOTLDR partition is mounted, if there is one. */
  readonly xbootldr?: string;
  readonly bootsNext: string | undefined;
  /** Why that does not start, as far as headers and firmware tell; absent when nothing speaks against it. */
  readonly nextProblem?: string;
  /** Whether what boots next is a system of the current generation; undefined when there is no profile to ask. */
  readonly nextIsCurrent: boolean | undefined;
  /** Whether the running system boots next; undefined when the running system is unknown. */
  readonly nextIsBooted: boolean | undefined;
  readonly loaders: readonly LoaderStatus[];
  readonly entries: number;
  /** Those that are damaged, or lack the signature that firmware asks for. */
  readonly damaged: number;
  /** Entries of another machine that have names as ours have; absent when there are none. */
  readonly neighbours?: number;
  /** Entries that are counted, and may be tried again. */
  readonly onTrial: number;
  /** Entries without tries left that did not come up. */
  readonly bad: number;
  /** Whether the entry that boots next is bad. */
  readonly nextIsBad: boolean;
  /** Tries left of the entry that boots next; undefined when it has no counter. */
  readonly nextTriesLeft: number | undefined;
  /** What `install` would mend; undefined when it is not known. */
  readonly fromProfiles: readonly Difference[] | undefined;
  /** How a mirror differs from the primary; undefined when it is the primary or the only ESP. */
  readonly fromPrimary: readonly Difference[] | undefined;
  /** Why firmware starts nothing of this ESP or another entry of it, or another partition; absent when it does not. */
  readonly firmware?: readonly string[];
  /** What is to be done, what may keep it from starting first. */
  readonly findings: readonly Finding[];
  /** What is there, changes how the machine boots, and is not ours. */
  readonly notes: readonly Note[];
  /** Generations for which there is no room. */
  readonly leftOut: readonly string[];
  /** Images that entries share, and the entries with the last of which each goes; absent without any. */
  readonly sharedImages?: readonly SharedImage[];
  readonly space: {
    readonly total: number;
    readonly free: number;
    readonly ours: number;
    /** How many more entries fit, each as large as the largest and sharing no file. */
    readonly roomFor: number;
  };
  /** Space of the ESP itself, when the entries lie on XBOOTLDR. */
  readonly espSpace?: { readonly total: number; readonly free: number };
}

/** How a machine stands. */
export interface Status {
  /** Real path of the running system. */
  readonly booted: string | undefined;
  /** Real path of the system that the profile leads to. */
  readonly current: string | undefined;
  /** Whether what runs is a system of the current generation, whatever its link leads to. */
  readonly bootedIsCurrent: boolean | undefined;
  /** Generations that cannot be installed; absent when there are none. */
  readonly broken?: readonly BrokenGeneration[];
  readonly esps: readonly EspStatus[];
}
