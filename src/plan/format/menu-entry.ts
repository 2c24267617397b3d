/** What entries of every format have: a place in the menu, a name, a command line. Pure. */
import type { Digest } from '../../digest.ts';
import { type EntryKind, formatEntryName, slug } from '../../esp/layout.ts';
import { versionTag } from '../../generation/generation.ts';
import { formatCmdline } from '../../uki/cmdline.ts';
import type { Resolved, WantedEntry } from '../wanted.ts';

/** The default systemd-boot sort key where a bootspec gives none. */
const DEFAULT_SORT_KEY = 'nixos';

/** The longest label that is shown, in UTF-16 units. */
const LABEL_LIMIT = 256;

/** Returns what a menu shows for an entry; a named profile stands in brackets. */
export function label({ generation, bootspec }: Resolved): string {
  const text = bootspec.label.slice(0, LABEL_LIMIT);
  return generation.profile === undefined ? text : `${text} [${generation.profile}]`;
}

/** What decides the place of an entry in the menu. */
export function menuOrder({
  generation,
  specialisation,
  bootspec,
}: Resolved): Pick<WantedEntry, 'sortKey' | 'version'> {
  return {
    version: versionTag(generation, specialisation),
    sortKey: bootspec.sortKey ?? DEFAULT_SORT_KEY,
  };
}

/** Returns what a menu shows of an entry, and what its kernel is told. */
export function menuEntry(
  resolved: Resolved,
): Pick<WantedEntry, 'toplevel' | 'title' | 'sortKey' | 'version' | 'cmdline'> {
  const { bootspec } = resolved;
  const order = menuOrder(resolved);
  return {
    toplevel: bootspec.toplevel,
    title: `${label(resolved)} (${order.version})`,
    ...order,
    cmdline: formatCmdline(bootspec.init, bootspec.kernelParams),
  };
}

/** Returns the file name of an entry. */
export function entryName(
  token: string,
  { generation, specialisation }: Resolved,
  { kind, digest }: { readonly kind: EntryKind; readonly digest: Digest },
): string {
  return formatEntryName(token, {
    kind,
    generation: generation.number,
    ...(specialisation === undefined ? {} : { slug: slug(specialisation) }),
    digest,
  });
}
