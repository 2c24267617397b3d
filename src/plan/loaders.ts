/** Decides which copies of the boot loader are written. Pure. */
import { decideLoader } from '../loader/upgrade.ts';
import { isUnsigned } from '../signer/signer.ts';
import { loaderStatus } from './loader-status.ts';
import type { LoaderCopy } from './plan-input.ts';
import type { LoaderView } from './view.ts';
import type { WantedSystem } from './wanted-system.ts';

/** The copies to write, one after the other, and warnings. */
export interface Loaders {
  readonly copies: readonly LoaderCopy[];
  readonly warnings: readonly string[];
}

/** Returns the copies to write. A copy that would not start comes before one that would. */
export function decideLoaders(
  { loader: source, signer, settings }: Pick<WantedSystem, 'loader' | 'signer' | 'settings'>,
  views: readonly LoaderView[],
): Loaders {
  const isSigned = !isUnsigned(signer);
  const decided = views.map((view) => ({
    view,
    decision: decideLoader({ ...view, source, force: settings.force }),
  }));
  const starts = (view: LoaderView) => loaderStatus(view).problem === undefined;
  return {
    copies: decided
      .filter(({ decision }) => decision.kind === 'replace')
      .toSorted((a, b) => Number(starts(a.view)) - Number(starts(b.view)))
      .map(({ view, decision }) => ({
        path: view.path,
        size: source.size,
        replaces: view.size,
        content: { kind: isSigned ? 'signed' : 'file', path: source.path },
        because: decision.because,
      })),
    warnings: decided.flatMap(({ view, decision }) =>
      decision.kind === 'leave-foreign' ? [`${view.path} is left alone: ${decision.because}`] : [],
    ),
  };
}
