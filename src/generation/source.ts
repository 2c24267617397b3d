/** The port for sources of generations. A survey asks it, and knows no links. */
import type { Leniency } from './bootspec.ts';
import type { Generation, GenerationMemory, Malformed } from './generation.ts';

/** The content of a source at one moment. */
export interface FoundGenerations {
  /** Generations, those of the system profile first, newer before older. */
  readonly generations: readonly Generation[];
  /** Generations that cannot be installed, in the same order. */
  readonly malformed: readonly Malformed[];
  /** Real paths of systems that a person asked to keep. */
  readonly pinned: ReadonlySet<string>;
  /** As {@link GenerationSource.current} returns them. */
  readonly current: readonly string[];
  /**
   * The system of the newest generation, broken or not: a real path, or a link that leads nowhere. It
   * boots next where nothing is current. Undefined when nothing but pins was found.
   */
  readonly newest: string | undefined;
}

/** A source of generations. */
export interface GenerationSource {
  /** Returns a text that changes when a generation, a pin or the current system changes. */
  fingerprint(): string;
  /**
   * Reads every generation, including those that only a pin keeps.
   * @param memory generations of earlier reads; one is not read again while its link stays the same
   * @param leniency what is accepted that would otherwise make a generation malformed
   * @throws {CONFIG_INVALID} when the settings name places without generations
   */
  read(memory?: GenerationMemory, leniency?: Leniency): FoundGenerations;
  /**
   * Returns the systems that should boot next: real paths, or a link that leads nowhere. The first
   * is the system profile's, and the others are those of named profiles.
   * @throws {CONFIG_INVALID} as {@link GenerationSource.read} does
   */
  current(): readonly string[];
  /** Returns the real paths of systems that a person asked to keep. */
  pinned(): readonly string[];
  /** Returns the path of a generation's pin, a link to its system. The pin need not exist. */
  pinOf(generation: Pick<Generation, 'profile' | 'number'>): string;
  /** Returns the directories in which generations and pins appear and disappear. */
  watched(): readonly string[];
}

/** The places of generations, from the settings. */
export interface SourcePlaces {
  /** Directories of profiles, or links of single generations. */
  readonly profiles: readonly string[];
  /** Which source it is; without it, what is there decides. */
  readonly source?: 'nix' | 'kernels' | undefined;
  /** Where installed kernels are kept. */
  readonly 'state-dir': string;
  /** The directory of pins; without it, the usual one applies. */
  readonly pins?: string | undefined;
}
