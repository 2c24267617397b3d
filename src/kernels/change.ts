/** Adds and removes installed kernels, and settles which of them boots next. */
import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import { kernelLinks, realPlaces } from '../generation/installed-kernels.ts';
import type { Settings } from '../settings/settings.ts';
import { bootedSystem } from '../survey/booted.ts';
import { addKernel, openKeeping } from './add.ts';
import { findInstalled, type InstalledFiles } from './installed.ts';
import { chooseNext, forget, isNewer, isWhole, keptNext, newestWhole, tidy } from './kept.ts';
import { rivals } from './rivals.ts';
import type { KernelStore } from './store.ts';

/** A kernel after a change. */
export interface ChangedKernel {
  readonly release: string;
  /** Absent when it could not be kept. */
  readonly generation?: number;
  readonly is: 'added' | 'unchanged' | 'removed' | 'failed';
}

/** What became of kernels. */
export interface KernelChange {
  readonly kernels: readonly ChangedKernel[];
  /** The number of the generation that boots next. */
  readonly next: number | undefined;
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/** What a change works with. */
export interface Changing {
  readonly settings: Settings;
  readonly context: Context;
  readonly withoutInitrd: boolean;
}

/**
 * Keeps kernels, in this order, and makes the newest boot next if it is no older than what did.
 * @param failsAlone whether one that cannot be kept is told, and stops no other
 * @throws {CONFIG_INVALID} {PE_MALFORMED} {SOURCE_UNTRUSTED} {IO}
 */
export async function addKernels(
  kernels: readonly InstalledFiles[],
  { settings, context, withoutInitrd }: Changing,
  failsAlone = false,
): Promise<KernelChange> {
  const keeping = openKeeping(settings, context, withoutInitrd);
  const { store, cmdline } = keeping;
  const warnings = [...rivals(context.disk), ...cmdline.warnings];
  const changed: ChangedKernel[] = [];
  for (const files of kernels) {
    const { release } = files;
    try {
      const added = await addKernel(files, keeping);
      warnings.push(...added.warnings);
      const is = added.isNew ? 'added' : 'unchanged';
      changed.push({ release, generation: added.link.number, is });
      if (added.isNew && isNewer(added.link, keptNext(store)) && isWhole(added.link, store))
        chooseNext(store, added.link, context.now);
    } catch (error) {
      if (!failsAlone || !(error instanceof EspError)) throw error;
      warnings.push(`Linux ${release}: ${explain(error)}`);
      changed.push({ release, is: 'failed' });
    }
  }
  return settled(store, { kernels: changed, notes: cmdline.notes, warnings }, settings, context);
}

/** Forgets kernels. Their entries go at the next `install`, unless one runs or is pinned. */
export function removeKernels(
  isGone: (release: string) => boolean,
  { settings, context }: Pick<Changing, 'settings' | 'context'>,
): KernelChange {
  const { disk } = context;
  const store = { disk, places: realPlaces(settings['state-dir'], disk) };
  const gone = kernelLinks(disk, store.places.links).filter(
    ({ release }) => release !== undefined && isGone(release),
  );
  forget(store, gone);
  const releases = [...new Set(gone.flatMap(({ release }) => release ?? []))];
  const kernels = releases.map((release) => ({ release, is: 'removed' }) as const);
  return settled(store, { kernels, notes: [], warnings: [] }, settings, context);
}

/**
 * Makes what is kept equal what is installed.
 * @throws {FILE_MISSING} when no kernel is installed: then nothing is forgotten
 */
export async function syncKernels(changing: Changing): Promise<KernelChange> {
  const installed = findInstalled(changing.context.disk);
  if (installed.length === 0) {
    throw new EspError('FILE_MISSING', 'no kernel in /usr/lib/modules, /lib/modules or /boot', {
      hint: 'install one, or name it: `espalier kernel add VERSION IMAGE INITRD`',
    });
  }
  const added = await addKernels(installed.toReversed(), changing, true);
  const releases = new Set(installed.map(({ release }) => release));
  const removed = removeKernels((release) => !releases.has(release), changing);
  return { ...added, kernels: [...added.kernels, ...removed.kernels], next: removed.next };
}

/** Tidies up, and has the newest whole generation boot next where none does. */
function settled(
  store: KernelStore,
  change: Omit<KernelChange, 'next'>,
  settings: Settings,
  context: Context,
): KernelChange {
  tidy(store, bootedSystem(settings, context));
  const next = keptNext(store);
  if (next && isWhole(next, store)) return { ...change, next: next.number };
  const other = newestWhole(store);
  chooseNext(store, other, context.now);
  return { ...change, next: other?.number };
}
