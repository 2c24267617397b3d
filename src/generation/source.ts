/** Where generations come from, as a port: whoever surveys a machine asks it, and knows no links. */
import type { Leniency } from './bootspec.ts';
import type { Generation, GenerationMemory, Malformed } from './generation.ts';

/** All that a source has at one moment. */
export interface FoundGenerations {
  /** The system profile's first, and newer before older. */
  readonly generations: readonly Generation[];
  /** Generations that cannot be installed, in the same order. */
  readonly malformed: readonly Malformed[];
  /** Real paths of systems that a person asked to keep. */
  readonly pinned: ReadonlySet<string>;
  /** As {@link GenerationSource.current} returns them. */
  readonly current: readonly string[];
}

/** A source of generations. */
export interface GenerationSource {
  /** Returns a text that is another one once a generation, a pin or what is current has changed. */
  fingerprint(): string;
  /**
   * Reads every generation, those included that only a pin keeps.
   * @param memory generations of earlier reads, which are not read again while their links stay
   * @param leniency what is taken that would otherwise make a generation malformed
   * @throws {CONFIG_INVALID} when nothing is where the settings say that generations are
   */
  read(memory?: GenerationMemory, leniency?: Leniency): FoundGenerations;
  /**
   * Returns the systems that should boot next: real paths, or a link that leads nowhere. The first
   * is that of the system itself, the others those of named profiles.
   * @throws {CONFIG_INVALID} as {@link GenerationSource.read} does
   */
  current(): readonly string[];
  /** Returns the real paths of systems that a person asked to keep. */
  pinned(): readonly string[];
  /** Returns the path of a generation's pin, whether it is there or not: a link to its system. */
  pinOf(generation: Pick<Generation, 'profile' | 'number'>): string;
  /** Returns the directories in which generations and pins appear and disappear. */
  watched(): readonly string[];
}

/** Where the settings say that generations are. */
export interface SourcePlaces {
  /** Directories of profiles, or links of single generations. */
  readonly profiles: readonly string[];
  /** The directory of pins; without it, the usual one. */
  readonly pins?: string | undefined;
}
