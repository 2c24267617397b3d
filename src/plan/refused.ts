/** Entries that firmware refuses although they are whole. Pure. */
import type { BlobFile, EntryFile, Inventory } from '../esp/inventory.ts';
import { ENTRIES } from '../esp/layout.ts';

/** Our files that entries name, by path in lower case. */
export type Blobs = ReadonlyMap<string, BlobFile>;

export function blobsByPath({ blobs }: Pick<Inventory, 'blobs'>): Blobs {
  return new Map(blobs.map((blob) => [blob.path.toLowerCase(), blob]));
}

/** An entry, there or to come. */
type Refusable = Pick<EntryFile, 'path' | 'references' | 'unsigned' | 'banned'>;

/** Says why firmware would refuse an entry under Secure Boot, as far as headers tell. */
export function refusalOf(entry: Refusable, blobs: Blobs): string | undefined {
  return told(entry, blobs, ({ unsigned, banned }) => unsigned ?? banned);
}

/** Says why firmware refuses an entry whoever signs it anew. */
export function banOf(entry: Refusable, blobs: Blobs): string | undefined {
  return told(entry, blobs, ({ banned }) => banned);
}

/** Firmware itself starts what a Type #1 entry names. A thin image vouches for its kernel. */
function told(
  entry: Refusable,
  blobs: Blobs,
  says: (file: Pick<EntryFile, 'unsigned' | 'banned'>) => string | undefined,
): string | undefined {
  const own = says(entry);
  if (own !== undefined || !entry.path.toLowerCase().startsWith(`${ENTRIES}/`)) return own;
  for (const path of entry.references) {
    const blob = blobs.get(path.toLowerCase());
    const because = blob && says(blob);
    if (because !== undefined) return `it names ${path}: ${because}`;
  }
  return undefined;
}
