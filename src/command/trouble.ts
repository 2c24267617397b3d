/** What keeps `install` from an ESP, and how the ESP differs from what the profiles want. */

import type { Context } from '../context.ts';
import { type EspError, EXIT_USAGE, explain } from '../error.ts';
import { type Difference, differencesFrom, driftOf, type Wanted } from '../pass/drift.ts';
import { nextOf } from '../plan/menu-order.ts';
import type { EspView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import type { KnownSystems } from '../survey/systems.ts';
import { bootsSystem } from '../uki/cmdline.ts';
import { expected, requireTarget } from '../volumes/esp-roots.ts';
import type { Problem, SeenEsp } from './status-document.ts';

/** What is known of an ESP besides its view. */
type Drifted = Pick<SeenEsp, 'fromProfiles' | 'leftOut' | 'problem'>;

/** What an ESP is compared with. */
export interface Comparison {
  readonly wanted: Wanted;
  readonly systems: Pick<KnownSystems, 'current' | 'currentBoots'>;
  /** The primary ESP; undefined when this is it. */
  readonly primary: EspView | undefined;
}

/** How an ESP stands to what it is compared with. */
export interface Known extends Drifted {
  readonly fromPrimary: readonly Difference[] | undefined;
  readonly nextIsCurrent: boolean | undefined;
}

/** Compares an ESP with the profiles and with the primary one. */
export function knownOf(
  view: EspView,
  { wanted, systems, primary }: Comparison,
  settings: Settings,
  context: Context,
): Known {
  const next = nextOf(view.inventory);
  const { current, currentBoots } = systems;
  const isFor = (system: string) => next !== undefined && bootsSystem(next.cmdline, system);
  return {
    ...drifted(view, wanted, settings, context),
    fromPrimary: primary && differencesFrom(primary, view),
    nextIsCurrent: current === undefined ? undefined : currentBoots.some(isFor),
  };
}

export function problemOf(failure: EspError): Problem {
  return { code: failure.code, message: explain(failure), hint: failure.hint };
}

/**
 * Returns what differs from what the profiles want, and what would keep `install` from mending it.
 */
function drifted(view: EspView, wanted: Wanted, settings: Settings, context: Context): Drifted {
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
