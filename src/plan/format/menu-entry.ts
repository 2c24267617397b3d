/** The common part of entries in every format: place in the menu, name, command line. Pure. */
import type { Digest } from '../../digest.ts';
import { type EntryKind, formatEntryName, slug } from '../../esp/layout.ts';
import { versionTag } from '../../generation/generation.ts';
import { formatCmdline } from '../../uki/cmdline.ts';
import type { Resolved, WantedEntry } from '../wanted.ts';

/** systemd-boot's default sort key, for a bootspec without one. */
const DEFAULT_SORT_KEY = 'nixos';

/** In UTF-16 units. A longer label is cut. */
const LABEL_LIMIT = 256;

/** Returns an entry's title in the menu. A named profile is in brackets. */
export function label({ generation, bootspec }: Resolved): string {
  const text = bootspec.label.slice(0, LABEL_LIMIT);
  return generation.profile === undefined ? text : `${text} [${generation.profile}]`;
}

/** Everything that decides an entry's place in the menu. */
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

/** Returns an entry's title and place in the menu, and its kernel's command line. */
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
