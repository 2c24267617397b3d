/** What carrying out a plan did. Sizes in bytes. */
import type { EspPath } from '../esp/layout.ts';
import type { PhaseName } from '../plan/step.ts';

/** One change that was made, durable by the time it is reported. */
export interface Change {
  readonly phase: PhaseName;
  readonly kind: 'written' | 'removed';
  readonly path: EspPath;
  readonly size: number;
  readonly because: string;
}

/** What a run did to one ESP. */
export interface Report {
  readonly changes: readonly Change[];
  /** Bytes of file content written. */
  readonly written: number;
}
