/** What keeps `install` from an ESP, and how the ESP differs from what the profiles want. */

import type { Context } from '../context.ts';
import { type EspError, EXIT_USAGE, explain } from '../error.ts';
import { driftOf, type Wanted } from '../pass/drift.ts';
import type { EspView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import { expected, requireTarget } from '../volumes/esp-roots.ts';
import type { Problem, SeenEsp } from './status-document.ts';

/** What is known of an ESP besides its view. */
export type Drifted = Pick<SeenEsp, 'fromProfiles' | 'leftOut' | 'problem'>;

export function problemOf(failure: EspError): Problem {
  return { code: failure.code, message: explain(failure), hint: failure.hint };
}

/**
 * Returns what differs from what the profiles want, and what would keep `install` from mending it.
 */
export function drifted(
  view: EspView,
  wanted: Wanted,
  settings: Settings,
  context: Context,
): Drifted {
  const drift = driftOf(view, wanted);
  const failure =
    writeFailure(view.root, settings, context) ?? ('failure' in drift ? drift.failure : undefined);
  // A usage error means that there is no key or no profile, as on a rescue system: nothing to
  // compare.
  const isProblem = failure && failure.status !== EXIT_USAGE;
  return {
    fromProfiles: 'failure' in drift ? undefined : drift.differences,
    leftOut: 'failure' in drift ? [] : drift.leftOut.map(({ generation }) => generation),
    ...(isProblem ? { problem: problemOf(failure) } : {}),
  };
}

function writeFailure(root: string, settings: Settings, context: Context): EspError | undefined {
  try {
    requireTarget(root, settings, context, 'write');
    return undefined;
  } catch (error) {
    return expected(error);
  }
}
