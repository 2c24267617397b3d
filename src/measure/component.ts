/** The components of the boot that systemd-pcrlock is told of, and what their variants are called. Pure. */
import { base32 } from '../digest.ts';
import type { EntryName } from '../esp/layout.ts';

/** One variant is the loader that is there, the other one that is about to be. Named by lanzaboote. */
export const LOADER_COMPONENT = {
  directory: '630-bootloader.pcrlock.d',
  current: 'current.pcrlock',
  next: 'next.pcrlock',
} as const;

/** A variant for each entry. Named by lanzaboote. */
export const ENTRY_COMPONENT = '635-lanzaboote.pcrlock.d';

/** More values of one register fit in no policy (TPM 2.0 Part 3 §TPM2_PolicyOR). */
export const MAX_VARIANTS = 8;

const VARIANT = /^\d+(-.*)?\.pcrlock$/;

/** Whether a file of the entries' component may be one of ours, or of lanzaboote. */
export function isVariantName(name: string): boolean {
  return VARIANT.test(name);
}

/** An entry by its ID, and what its name says. */
export interface NamedEntry {
  readonly id: string;
  readonly name: EntryName;
}

/**
 * Returns the ID of each entry by the name of its variant: `<generation>[-<specialisation>].pcrlock` as
 * lanzaboote has it, and with the entry's digest behind it for others of the same generation.
 */
export function variantNames(entries: readonly NamedEntry[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { id, name } of entries.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const tag = [name.generation, ...(name.slug === undefined ? [] : [name.slug])].join('-');
    const plain = `${tag}.pcrlock`;
    names.set(names.has(plain) ? `${tag}-${base32(name.digest)}.pcrlock` : plain, id);
  }
  return names;
}
