/** Decides what becomes of the previous boot loader, which firmware starts where the first one fails. Pure. */
import type { Digest } from '../digest.ts';
import { loaderStatus } from './loader-status.ts';
import type { RunningLoader } from './running-loader.ts';
import type { LoaderView } from './view.ts';

/** Everything that the decision depends on. */
export interface PreviousQuestion {
  /** The loader in `EFI/systemd`. */
  readonly own: LoaderView;
  readonly previous: LoaderView;
  /** Whether the one in `EFI/systemd` is replaced. */
  readonly isReplaced: boolean;
  readonly running: RunningLoader | undefined;
  /** Whether the settings want one. */
  readonly isWanted: boolean;
}

/** What to do, and the reason in words that continue "because …". */
export type PreviousDecision =
  | { readonly kind: 'keep' }
  | { readonly kind: 'remove'; readonly because: string }
  /** The loader in `EFI/systemd`, which has this digest, becomes the previous one. */
  | { readonly kind: 'rotate'; readonly digest: Digest; readonly because: string };

/** Returns what to do with the previous loader. */
export function decidePrevious(question: PreviousQuestion): PreviousDecision {
  const { previous, isReplaced, running, isWanted } = question;
  const isThere = previous.installed.kind !== 'absent';
  // Nothing else is known to start.
  const isNeeded = isRunning(previous, running) && versionOf(previous) !== undefined;
  if (previous.installed.kind === 'directory' || isNeeded) return { kind: 'keep' };
  if (!isWanted) {
    return isThere ? { kind: 'remove', because: 'loader-fallback is off' } : { kind: 'keep' };
  }
  const { problem } = loaderStatus(previous);
  const proven = provenOf(question);
  if (proven === undefined) {
    return isThere && problem !== undefined
      ? { kind: 'remove', because: `${problem}, and no loader that is known to start replaces it` }
      : { kind: 'keep' };
  }
  if (isThere && problem !== undefined) {
    return {
      ...proven,
      kind: 'rotate',
      because: `${problem}; ${proven.version} is known to start`,
    };
  }
  if (!isReplaced || versionOf(previous) === proven.version) return { kind: 'keep' };
  return {
    ...proven,
    kind: 'rotate',
    because: `${proven.version} is known to start, and is about to be replaced`,
  };
}

function isRunning({ path }: LoaderView, running: RunningLoader | undefined): boolean {
  return running?.path === path.toLowerCase();
}

/**
 * The loader in `EFI/systemd`, if it is whole, trusted and has started this machine. Another file of its
 * version may have run instead: its copy in `EFI/BOOT`, which is as good, but not the previous loader.
 */
function provenOf({
  own,
  previous,
  running,
}: PreviousQuestion): { readonly digest: Digest; readonly version: string } | undefined {
  const { digest, isForOther = false } = own;
  const version = versionOf(own);
  if (digest === undefined || version === undefined || isForOther) return undefined;
  const hasRun = running?.version === version && !isRunning(previous, running);
  return hasRun ? { digest, version } : undefined;
}

function versionOf({ installed }: LoaderView): string | undefined {
  return installed.kind === 'systemd-boot' ? installed.version : undefined;
}
