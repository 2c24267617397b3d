/** The components of the boot that systemd-pcrlock knows, and the names of their variants. Pure. */
import { base32 } from '../digest.ts';
import type { EntryName } from '../esp/layout.ts';

/** The loader's variants: the one that is there, and the one that will be. Named by lanzaboote. */
export const LOADER_COMPONENT = {
  directory: '630-bootloader.pcrlock.d',
  current: 'current.pcrlock',
  next: 'next.pcrlock',
} as const;

/** The entries' component, with one variant for each. Named by lanzaboote. */
export const ENTRY_COMPONENT = '635-lanzaboote.pcrlock.d';

/**
 * The most variants: a policy takes no more values of one register (TPM 2.0 Part 3 §TPM2_PolicyOR).
 */
export const MAX_VARIANTS = 8;

const VARIANT = /^\d+(-.*)?\.pcrlock$/;

/** Returns whether a file of the entries' component may be ours or lanzaboote's. */
export function isVariantName(name: string): boolean {
  return VARIANT.test(name);
}

/** An entry: its ID, and what its name says. */
export interface NamedEntry {
  readonly id: string;
  readonly name: EntryName;
}

/**
 * Returns the IDs of entries by the name of their variant:
 * `<generation>[-<specialisation>].pcrlock` as lanzaboote has it. A second entry of one generation
 * gets its digest behind that.
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
