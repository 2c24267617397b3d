/** Decides when our boot loader replaces the one on the ESP. */

import { compareVersions } from '../version.ts';
import type { LoaderIdentity } from './systemd-boot.ts';

/**
 * Which loader: one of the two copies, `EFI/systemd/systemd-boot<arch>.efi` and `EFI/BOOT/BOOT<ARCH>.EFI`,
 * or the one before them, `EFI/systemd/systemd-boot-fallback<arch>.efi`.
 */
export type LoaderPlace = 'systemd' | 'fallback' | 'previous';

/**
 * How a signature is judged: by our certificate, or where none is named by firmware's own lists. `banned`
 * is what firmware refuses whoever signed it.
 */
export type LoaderSignature = 'valid' | 'invalid' | 'not-taken' | 'banned' | 'not-checked';

/** Why firmware does not start a loader with such a signature. */
export const SIGNATURE_PROBLEMS: Readonly<Partial<Record<LoaderSignature, string>>> = {
  invalid: 'its signature is not valid for our certificate',
  'not-taken': 'it carries no signature that firmware of this machine takes, and Secure Boot is on',
  banned: 'dbx has its digest: firmware refuses it, whoever signed it',
};

/** Everything that the decision depends on. */
export interface LoaderQuestion {
  readonly place: Exclude<LoaderPlace, 'previous'>;
  /** The loader that we bring. */
  readonly source: { readonly version: string; readonly machine: number };
  /** The loader on the ESP. */
  readonly installed: { readonly kind: 'absent' | 'directory' } | LoaderIdentity;
  /** What is to be said of the signature of the loader on the ESP. */
  readonly signature: LoaderSignature;
  /** Whether a person asked for ours even when the same or a newer version is there. */
  readonly force: boolean;
}

/** What to do with one copy, and the reason in words that continue "because …". */
export type LoaderDecision =
  | { readonly kind: 'keep'; readonly because: string }
  | { readonly kind: 'replace'; readonly because: string }
  | { readonly kind: 'leave-foreign'; readonly because: string };

interface Rule {
  readonly kind: LoaderDecision['kind'];
  readonly applies: (question: LoaderQuestion) => boolean;
  readonly because: (question: LoaderQuestion) => string;
}

/** Returns what to do with one copy of the boot loader. The first rule that applies decides. */
export function decideLoader(question: LoaderQuestion): LoaderDecision {
  const rule = rules.find(({ applies }) => applies(question)) ?? KEEP;
  return { kind: rule.kind, because: rule.because(question) };
}

const rules: readonly Rule[] = [
  {
    // No rename replaces a directory. The other copy starts meanwhile.
    kind: 'leave-foreign',
    applies: ({ installed }) => installed.kind === 'directory',
    because: () => 'it is a directory: move it away',
  },
  {
    kind: 'replace',
    applies: ({ installed }) => installed.kind === 'absent',
    because: () => 'there is none',
  },
  {
    // Firmware does not start a truncated file, so replacing it loses nothing, whoever wrote it.
    kind: 'replace',
    applies: ({ installed }) => installed.kind === 'malformed',
    because: ({ installed }) =>
      `it is damaged${installed.kind === 'malformed' ? `: ${installed.because}` : ''}`,
  },
  {
    // The fallback path belongs to its first user, and may be all that starts another system.
    // `force` does not replace it either: it is about versions, and a person can move the file
    // away.
    kind: 'leave-foreign',
    applies: ({ installed, place }) => installed.kind === 'foreign' && place === 'fallback',
    because: () => 'it is not systemd-boot, and another system may start from it',
  },
  {
    kind: 'replace',
    applies: ({ installed }) => installed.kind === 'foreign',
    because: () => 'it is not systemd-boot, under a name that is',
  },
  {
    kind: 'replace',
    applies: ({ installed, source }) =>
      installed.kind === 'systemd-boot' && installed.machine !== source.machine,
    because: () => 'it is for another processor',
  },
  {
    // This comes before any version check: a loader that firmware refuses starts nothing. So ours
    // replaces it even when ours is older. "Never downgrade" protects a machine that boots.
    kind: 'replace',
    applies: ({ signature }) => SIGNATURE_PROBLEMS[signature] !== undefined,
    because: ({ signature }) => SIGNATURE_PROBLEMS[signature] ?? signature,
  },
  {
    kind: 'replace',
    applies: ({ installed, source }) => order(installed, source) < 0,
    because: ({ installed, source }) => `${name(installed)} is older than ${source.version}`,
  },
  {
    kind: 'replace',
    applies: ({ force }) => force,
    because: ({ installed }) => `it was asked for, instead of ${name(installed)}`,
  },
];

const KEEP: Rule = {
  kind: 'keep',
  applies: () => true,
  because: ({ installed, source }) =>
    order(installed, source) > 0
      ? `${name(installed)} is newer than ${source.version}`
      : `${name(installed)} is as new as ${source.version}`,
};

function order(installed: LoaderQuestion['installed'], source: LoaderQuestion['source']): number {
  return installed.kind === 'systemd-boot' ? compareVersions(installed.version, source.version) : 0;
}

function name(installed: LoaderQuestion['installed']): string {
  return installed.kind === 'systemd-boot' ? installed.version : installed.kind;
}
