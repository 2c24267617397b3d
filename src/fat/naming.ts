/** Gives names in a directory: which slots they take, and what these hold. */
import type { Directory, Entry } from './directory.ts';
import type { Change } from './ordered-writes.ts';
import { formatLongName, formatRecord, type Leads, REMOVED } from './record.ts';
import { SLOT } from './region.ts';
import { aliasFor } from './short-name.ts';

/** Returns the slots of a new name, its record last; undefined when its alias is taken. */
export function slotsFor(
  directory: Directory,
  name: string,
  leads: Leads,
): readonly Uint8Array[] | undefined {
  const alias = aliasFor(name, (shown) => directory.find(shown) !== undefined);
  if (alias === undefined) return undefined;
  const record = formatRecord(alias.bytes, leads);
  return alias.isWhole ? [record] : [...formatLongName(name, alias.bytes), record];
}

/** Returns the stages in which a name appears: a record comes last, or it would show its alias alone. */
export function appearing(
  directory: Directory,
  first: number,
  slots: readonly Uint8Array[],
): readonly [Change[], Change[]] {
  const changes = slots.map((bytes, index) => ({ directory, slot: first + index, bytes }));
  return [changes.slice(0, -1), changes.slice(-1)];
}

/** Returns the stages in which a name goes: its record first, for the same reason. */
export function vanishing(directory: Directory, entry: Entry): readonly [Change[], Change[]] {
  const gone = (slot: number): Change => {
    const bytes = Uint8Array.from(directory.slot(slot));
    bytes[0] = REMOVED;
    return { directory, slot, bytes };
  };
  const parts = Array.from({ length: entry.slot - entry.first }, (_, at) => gone(entry.first + at));
  return [[gone(entry.slot)], parts];
}

/**
 * Returns slots that count as used once. One that was never used ends a directory for firmware: a
 * sector that is lost before names would hide them.
 */
export function closedSlots(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += SLOT) bytes[at] = REMOVED;
  return bytes;
}

/** Returns the content of the first cluster of a new directory: itself, and the one above it. */
export function newDirectory(leads: Leads, above: number, size: number): Uint8Array {
  const bytes = closedSlots(size);
  const dots = (count: number) => new TextEncoder().encode('.'.repeat(count).padEnd(11));
  bytes.set(formatRecord(dots(1), leads));
  bytes.set(formatRecord(dots(2), { ...leads, cluster: above }), SLOT);
  return bytes;
}
