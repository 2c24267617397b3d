/** Broken generations, as they are told by the verbs that only look. */
import { type EspError, explain } from '../error.ts';
import type { Malformed } from '../generation/generation.ts';
import { generationName } from '../plan/wanted.ts';

/** A generation that cannot be installed, and what to do about it. */
export interface BrokenGeneration {
  /** `5`, or `PROFILE-5` for a named profile. */
  readonly generation: string;
  readonly code: EspError['code'];
  readonly message: string;
  readonly hint: string;
}

/** Returns what is told of broken generations. */
export function brokenOf(malformed: readonly Malformed[]): readonly BrokenGeneration[] {
  return malformed.map(({ profile, number, cause }) => ({
    generation: generationName({ profile, number }),
    code: cause.code,
    message: explain(cause),
    hint: cause.ownHint ?? 'rebuild that system, or delete its generation',
  }));
}
