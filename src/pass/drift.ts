/** Tells how an ESP differs from what the profiles want, and a mirror from the primary. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import type { Inventory } from '../esp/inventory.ts';
import { type EspPath, KEPT_SETTINGS, LOADER_CONF } from '../esp/layout.ts';
import { decide } from '../plan/decide.ts';
import { statusesOf } from '../plan/loader-status.ts';
import { hasOurName, nextOf } from '../plan/menu-order.ts';
import { MOVED, ownFiles } from '../plan/present.ts';
import { NOT_THERE } from '../plan/schedule.ts';
import type { LeftOut, PhaseName, Step } from '../plan/step.ts';
import type { EspView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import type { Asking } from '../signer/delivered-signer.ts';
import type { Survey } from '../survey/surveyed.ts';
import { expected } from '../volumes/esp-roots.ts';
import { refusalOf } from './outcome.ts';

/** What may be wrong with a file. `stale` means that the file should not be there. */
export const DIFFERENCES = ['missing', 'damaged', 'stale', 'loader', 'settings'] as const;

/** One file that differs from what it should be. */
export interface Difference {
  readonly kind: (typeof DIFFERENCES)[number];
  readonly path: EspPath;
  readonly because: string;
}

/** What `install` would change on an ESP, told as what is wrong with it now. */
export interface Drift {
  readonly differences: readonly Difference[];
  /** Generations that do not fit. This is no difference. */
  readonly leftOut: readonly LeftOut[];
}

/** The survey of the profiles, or why there is none. It has no failure when nobody asked for it. */
export type Wanted = { readonly survey: Survey } | Unknown;

/**
 * Surveys what the profiles want, as `install` does. It asks no key that is elsewhere and runs no
 * secrets program, so only `install` finds out what a generation with either wants.
 */
export async function openWanted(
  settings: Settings,
  context: Context,
): Promise<Wanted & Disposable> {
  const { survey } = await import('../survey/survey.ts');
  const unknown = (failure?: EspError) => ({ failure, [Symbol.dispose]: () => undefined });
  let hasSecrets = false;
  const runSecrets = async () => {
    hasSecrets = true;
    throw new EspError('INITRD_SECRETS_FAILED', 'not run to look');
  };
  try {
    const asking = await askingSigner(settings, context);
    const looking = { ...context, runSecrets, looksOnly: true } as const;
    const surveyed = await survey(settings, undefined, looking, asking);
    if (hasSecrets) {
      surveyed.dispose();
      return unknown();
    }
    if (asking) requireNothingAsked(asking, surveyed);
    return { survey: surveyed, [Symbol.dispose]: surveyed.dispose };
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return unknown(hasSecrets ? undefined : error);
  }
}

/** Uses the certificate alone, which tells every difference unless names follow from signatures. */
async function askingSigner(
  { certificate, 'private-key': privateKey }: Settings,
  { disk, now }: Context,
): Promise<Asking | undefined> {
  if (certificate === undefined || privateKey !== undefined) return undefined;
  const { loadAskingSigner } = await import('../signer/delivered-signer.ts');
  return loadAskingSigner(certificate, disk, now);
}

function requireNothingAsked({ asked: [first] }: Asking, { dispose }: Survey): void {
  if (first === undefined) return;
  dispose();
  throw new EspError('SIGNATURE_MISSING', `${first.name}: its signed form is not known yet`, {
    hint: 'run install, for which the key is asked',
  });
}

/** Why the drift of an ESP is unknown. */
export interface Unknown {
  readonly failure: EspError | undefined;
}

/** Compares an ESP with the profiles. It differs in everything that `install` would change. */
export function driftOf(view: EspView, wanted: Wanted): Drift | Unknown {
  if ('failure' in wanted) return wanted;
  const { survey } = wanted;
  try {
    const { plan, removals } = decide(withChoice(survey, view), view, 'all');
    if ('kind' in plan) return { failure: refusalOf(view.root, plan) };
    return {
      differences: [
        ...directoriesInPlace(view.inventory),
        ...[plan, ...removals]
          .flatMap(({ phases }) => phases)
          .flatMap(({ name, steps }) =>
            steps
              .filter((step) => isLasting(step, view.inventory))
              .map((step) => differenceOf(name, step)),
          ),
      ],
      leftOut: plan.leftOut.filter((left) => !survey.leftOut.includes(left)),
    };
  } catch (error) {
    return { failure: expected(error) };
  }
}

/** What no plan can mend, and is in the way of a generation. */
function directoriesInPlace({ subdirectories = [] }: Inventory): readonly Difference[] {
  return subdirectories
    .filter(hasOurName)
    .map((path) => ({ kind: 'damaged', path, because: 'it is a directory: move it away' }));
}

/** A specialisation of the current generation that somebody chose is what the profiles want, too. */
function withChoice(survey: Survey, { inventory }: EspView): Survey {
  const chosen = nextOf(inventory)?.id;
  const family = [...survey.musts, ...survey.wishes].find(({ entries }) =>
    entries.some(({ id }) => id === survey.default),
  );
  const isOfFamily = family?.entries.some(({ id }) => id === chosen);
  if (chosen === undefined || !isOfFamily) return survey;
  return { ...survey, standing: { followed: survey.default, chosen } };
}

/**
 * What is kept while a run replaces loader.conf is no difference, unless a run left it. Neither is an
 * entry that moves to another image: it is as whole before as after.
 */
function isLasting({ kind, path, because }: Step, { keptSettings }: Inventory): boolean {
  if (kind === 'overwrite' && because === MOVED) return false;
  return path !== KEPT_SETTINGS || (kind === 'remove' && keptSettings !== undefined);
}

/**
 * The difference that a step of each phase mends. A file that exists and is rewritten is `damaged`.
 */
const MENDS: Readonly<Record<PhaseName, Exclude<Difference['kind'], 'damaged'>>> = {
  sweep: 'stale',
  'free-entries': 'stale',
  'free-blobs': 'stale',
  put: 'missing',
  publish: 'missing',
  loader: 'loader',
  default: 'settings',
  'extra-files': 'missing',
  'extra-entries': 'missing',
  'remove-entries': 'stale',
  'remove-blobs': 'stale',
  'remove-loaders': 'stale',
  'remove-lists': 'stale',
};

function differenceOf(phase: PhaseName, { path, because }: Step): Difference {
  const kind = MENDS[phase];
  return { kind: kind === 'missing' && because !== NOT_THERE ? 'damaged' : kind, path, because };
}

/**
 * Compares a mirror with the primary: which of our entries and files it lacks or has in excess,
 * whatever their boot counters are, and whether loaders and settings are equal.
 */
export function differencesFrom(primary: EspView, mirror: EspView): readonly Difference[] {
  const [theirs, ours] = [ownFiles(primary.inventory), ownFiles(mirror.inventory)];
  const lacking = [...theirs].filter(([key]) => !ours.has(key));
  const copies = (view: EspView) =>
    statusesOf(view.loaders.filter(({ place }) => place !== 'previous'));
  const loaders = copies(primary);
  const settings = ({ inventory }: EspView) => new TextDecoder().decode(inventory.loaderConf);
  return [
    ...lacking.map(
      ([, { path }]): Difference => ({
        kind: 'missing',
        path,
        because: 'the primary ESP has it',
      }),
    ),
    ...[...ours].flatMap(([key, { path, damage }]): Difference[] => {
      if (!theirs.has(key)) return [{ kind: 'stale', path, because: 'the primary ESP lacks it' }];
      return damage === undefined ? [] : [{ kind: 'damaged', path, because: damage }];
    }),
    ...copies(mirror).flatMap(({ path, is }, index): Difference[] => {
      const expected = loaders[index]?.is;
      return expected === is || expected === undefined
        ? []
        : [{ kind: 'loader', path, because: `the primary ESP has ${expected}` }];
    }),
    ...(settings(primary) === settings(mirror)
      ? []
      : [
          {
            kind: 'settings',
            path: LOADER_CONF,
            because: 'the primary ESP has another',
          } as const,
        ]),
  ];
}
