/** When the boot loader on the ESP gives way to the one we bring. */
import type { LoaderIdentity } from './systemd-boot.ts';
import { compareVersions } from './version.ts';

/** Which of the two copies: `EFI/systemd/systemd-boot<arch>.efi` or `EFI/BOOT/BOOT<ARCH>.EFI`. */
export type LoaderPlace = 'systemd' | 'fallback';

/** All that the decision depends on. */
export interface LoaderQuestion {
  readonly place: LoaderPlace;
  /** What we bring. */
  readonly source: { readonly version: string; readonly machine: number };
  /** What lies there. */
  readonly installed: { readonly kind: 'absent' } | LoaderIdentity;
  /** What our certificate says about the signature of what lies there. */
  readonly signature: 'valid' | 'invalid' | 'not-checked';
  /** Somebody asked for ours even where the same or a newer one lies. */
  readonly force: boolean;
}

/** What to do with one copy, and the reason, as words that continue "because …". */
export type LoaderDecision =
  | { readonly kind: 'keep'; readonly because: string }
  | { readonly kind: 'replace'; readonly because: string }
  | { readonly kind: 'leave-foreign'; readonly because: string };

interface Rule {
  readonly kind: LoaderDecision['kind'];
  readonly applies: (question: LoaderQuestion) => boolean;
  readonly because: (question: LoaderQuestion) => string;
}

/** Returns what to do with one copy of the boot loader: the first rule that applies decides. */
export function decideLoader(question: LoaderQuestion): LoaderDecision {
  const rule = rules.find(({ applies }) => applies(question)) ?? KEEP;
  return { kind: rule.kind, because: rule.because(question) };
}

const rules: readonly Rule[] = [
  {
    kind: 'replace',
    applies: ({ installed }) => installed.kind === 'absent',
    because: () => 'there is none',
  },
  {
    // Firmware does not start half a file, so nothing is lost, whoever it was from.
    kind: 'replace',
    applies: ({ installed }) => installed.kind === 'malformed',
    because: ({ installed }) =>
      `it is damaged${installed.kind === 'malformed' ? `: ${installed.because}` : ''}`,
  },
  {
    // The fallback path belongs to whoever came first, and may be all that starts another system. Not
    // even force takes it: force speaks about versions, and a file can be moved away by hand.
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
    // Before any look at versions: a loader that firmware refuses is no loader, so ours is installed
    // even where that means an older one. "Never downgrade" guards a machine that boots.
    kind: 'replace',
    applies: ({ signature }) => signature === 'invalid',
    because: () => 'its signature is not valid for our certificate',
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
