/** Paths of phases: the words that systemd-pcrphase extends PCR 11 by, one after the other, as the boot goes on. */

/** The paths that systemd-measure takes when none is named (systemd-measure(1)). */
export const DEFAULT_PHASES: readonly string[] = [
  'enter-initrd',
  'enter-initrd:leave-initrd',
  'enter-initrd:leave-initrd:sysinit',
  'enter-initrd:leave-initrd:sysinit:ready',
];

/** How systemd-measure writes the moment before any phase: what the stub leaves. */
export const NO_PHASE = ':';

/** Returns the words of a path. Empty ones do not count, so that `:` has none. */
export function phaseWords(path: string): readonly string[] {
  return path.split(':').filter((word) => word !== '');
}

/** Returns paths as systemd-measure takes them: in the order of their bytes, each once, `:` for no phase. */
export function normalizePhases(paths: readonly string[]): readonly string[] {
  const known = new Set(paths.map((path) => phaseWords(path).join(':') || NO_PHASE));
  return [...known].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** The words that systemd-pcrphase measures (systemd-pcrphase.service(8)). */
export const PHASE_WORDS = [
  ...(['enter-initrd', 'leave-initrd', 'sysinit'] as const),
  ...(['ready', 'shutdown', 'final'] as const),
];

/** Returns the paths of a text, divided by blanks or commas; undefined where a word is none of a boot. */
export function parsePhases(text: string): readonly string[] | undefined {
  const paths = text
    .trim()
    .replace(/,$/, '')
    .trim()
    .split(/\s*,\s*|\s+/);
  const isKnown = (word: string) => PHASE_WORDS.some((known) => known === word);
  return paths.flatMap((path) => path.split(':')).every(isKnown) ? paths : undefined;
}
