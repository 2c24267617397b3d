/** What `report` tells of a machine, as plain data: what the page shows, and `--json` prints. */
import type { HeldVolume } from '../plan/holders.ts';
import type { LoaderStatus } from '../plan/loader-status.ts';
import type { MenuEntry } from '../plan/menu.ts';
import type { Note } from '../plan/notes.ts';

/** Everything on the page. */
export interface MachineReport {
  /** When it was made, in seconds since the epoch. */
  readonly at: number;
  /** Real path of the running system. */
  readonly booted: string | undefined;
  /** Real path of the system that the profile leads to. */
  readonly current: string | undefined;
  /** What concerns no ESP in particular. */
  readonly findings: readonly Finding[];
  /** Every generation of the source, newest first. */
  readonly generations: readonly ReportedGeneration[];
  readonly esps: readonly ReportedEsp[];
}

/** Something to be done. */
export interface Finding {
  /** `bad`: the machine may not start, or may start the wrong system. */
  readonly weight: 'bad' | 'caution';
  /** What is meant; absent where it is no file. */
  readonly path?: string;
  readonly text: string;
  /** What is meant in particular. */
  readonly details?: readonly string[];
  /** What to do about it; absent where the text says it. */
  readonly next?: string | undefined;
}

/** A generation, whether it is on an ESP or not. */
export interface ReportedGeneration {
  /** `5`, or `PROFILE-5` for a named profile. */
  readonly name: string;
  /** In seconds since the epoch; undefined for a broken one. */
  readonly builtAt: number | undefined;
  readonly label: string | undefined;
  /** `next`, `running`, `current`, `pinned`, `in the menu`, `broken`. */
  readonly states: readonly string[];
}

/** One ESP; nothing but findings where it cannot be read. */
export interface ReportedEsp {
  readonly esp: string;
  readonly xbootldr?: string;
  readonly findings: readonly Finding[];
  readonly notes: readonly Note[];
  /** Generations for which there is no room. */
  readonly leftOut: readonly string[];
  /** In the order in which the loader shows it. */
  readonly menu: readonly MenuEntry[];
  /** What `loader.conf` says of the time the menu is shown; undefined where it says nothing. */
  readonly timeout: string | undefined;
  readonly loaders: readonly LoaderStatus[];
  readonly volumes: readonly HeldVolume[];
  readonly programs: readonly ReportedProgram[];
}

/** A program that firmware starts: a loader, or the image of an entry. */
export interface ReportedProgram {
  /** `generation 5-gaming`, or the path of a loader. */
  readonly name: string;
  readonly path: string;
  /** Whose signatures it carries; undefined when it could not be read. */
  readonly signatures?: readonly { readonly signer: string; readonly valid: boolean }[];
  /** Whether this machine's firmware starts it under Secure Boot; null where that cannot be told. */
  readonly starts: boolean | null;
  /** PCR 11 in SHA-256, phase by phase; absent for a loader, and where that cannot be told. */
  readonly registers?: readonly {
    readonly phase: string;
    readonly value: string;
    /** Fingerprint of the key whose policy in the image is for this value; absent without one. */
    readonly key?: string;
  }[];
  /** Why nothing is told of it. */
  readonly problem?: string;
}
