/** Decides which copies of the boot loader are written. Pure. */
import { decideLoader } from '../loader/upgrade.ts';
import { isUnsigned } from '../signer/signer.ts';
import { loaderStatus } from './loader-status.ts';
import type { LoaderCopy, UnusedLoader } from './plan-input.ts';
import { decidePrevious } from './previous-loader.ts';
import { runningLoader } from './running-loader.ts';
import type { Scope } from './scope.ts';
import type { EspView, LoaderView } from './view.ts';
import type { WantedSystem } from './wanted-system.ts';

/** The copies to write, one after the other, what is removed in the end, and warnings. */
export interface Loaders {
  readonly copies: readonly LoaderCopy[];
  readonly unused: readonly UnusedLoader[];
  readonly warnings: readonly string[];
}

/** What decides about loaders, of what the system wants. */
type Wanted = Pick<WantedSystem, 'loader' | 'signer' | 'settings'>;

/**
 * Returns the copies to write. One that would not start comes before those that would, so that no second
 * one is ever in doubt. Of those that would, the previous loader comes first: it is a copy of one that the
 * next step replaces.
 */
export function decideLoaders(
  { loader: source, signer, settings }: Wanted,
  view: Pick<EspView, 'loaders' | 'firmware' | 'partitions'>,
  scope: Scope,
): Loaders {
  const content = { kind: isUnsigned(signer) ? 'file' : 'signed', path: source.path } as const;
  const decided = view.loaders.flatMap((found) => {
    const { place } = found;
    if (place === 'previous') return [];
    return [{ found, ...decideLoader({ ...found, place, source, force: settings.force }) }];
  });
  const replaced = decided.filter(({ kind }) => kind === 'replace');
  const isReplaced = replaced.some(({ found }) => found.place === 'systemd');
  const previous = settlePrevious({ isReplaced, isWanted: settings['loader-fallback'] }, view);
  const own = replaced.map(
    ({ found, because }): Planned => ({
      copy: { path: found.path, size: source.size, replaces: found.size, content, because },
      starts: startsFrom(found),
    }),
  );
  return {
    copies: [...previous.written, ...own]
      .toSorted((a, b) => Number(a.starts) - Number(b.starts))
      .map(({ copy }) => copy),
    unused: isSafe(view.loaders, scope) ? previous.unused : [],
    warnings: decided.flatMap(({ found, kind, because }) =>
      kind === 'leave-foreign' ? [`${found.path} is left alone: ${because}`] : [],
    ),
  };
}

/** A copy to write, and whether firmware would start what is there. */
interface Planned {
  readonly copy: LoaderCopy;
  readonly starts: boolean;
}

function settlePrevious(
  asked: { readonly isReplaced: boolean; readonly isWanted: boolean },
  view: Pick<EspView, 'loaders' | 'firmware' | 'partitions'>,
): { readonly written: readonly Planned[]; readonly unused: readonly UnusedLoader[] } {
  const [own, , previous] = view.loaders;
  if (!own || !previous) return { written: [], unused: [] };
  const { path, size: replaces } = previous;
  const decision = decidePrevious({ ...asked, own, previous, running: runningLoader(view) });
  switch (decision.kind) {
    case 'keep':
      return { written: [], unused: [] };
    case 'remove':
      return { written: [], unused: [{ path, size: replaces, because: decision.because }] };
    case 'rotate': {
      const { digest, because } = decision;
      const content = { kind: 'copied', path: own.path, digest } as const;
      const copy = { path, size: own.size, replaces, content, because };
      return { written: [{ copy, starts: startsFrom(previous) }], unused: [] };
    }
  }
}

function startsFrom(view: LoaderView): boolean {
  return loaderStatus(view).problem === undefined;
}

/** A run that writes no loader leaves a bad one, too, where there is no better one. */
function isSafe([own]: readonly LoaderView[], scope: Scope): boolean {
  return scope !== 'gc' || (own !== undefined && loaderStatus(own).problem === undefined);
}

/** Returns the loaders without the step that keeps the previous one, and says so. */
export function withoutPrevious({ copies, ...rest }: Loaders): Loaders {
  const { kept = [], others = [] } = Object.groupBy(copies, ({ content }) =>
    content.kind === 'copied' ? 'kept' : 'others',
  );
  const told = kept.map(
    ({ path }) => `${path} is not written: the previous boot loader has no room beside the rest`,
  );
  return { ...rest, copies: others, warnings: [...rest.warnings, ...told] };
}
