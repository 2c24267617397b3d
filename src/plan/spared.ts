/** Which unsigned files are left as they are, because the machine may have nothing else that boots. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { boots, keyOf, type OwnFile, ownFiles } from './present.ts';
import type { EspView } from './view.ts';
import { entriesOf, filesOf } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';

type Wanted = Pick<WantedSystem, 'musts' | 'wishes'>;

/** An inventory, and what a person should know about files that are left in it as they are. */
export interface Spared {
  readonly inventory: Inventory;
  readonly warnings: readonly string[];
}

/**
 * Returns an inventory in which unsigned files count as whole where they must not be replaced. While
 * Secure Boot is off they boot, and FAT may lose a name while its file is replaced. So they are
 * replaced only when another entry boots, one that this run does not touch. What is wanted under another
 * name, such as that of a new certificate, replaces nothing.
 */
export function sparedLast(
  { inventory, firmware }: Pick<EspView, 'inventory' | 'firmware'>,
  wanted: Wanted,
): Spared {
  const nothing = { inventory, warnings: [] };
  if (firmware?.secureBoot === true || !replacesUnsigned(inventory, wanted)) return nothing;
  const own = ownFiles(inventory);
  const isSigned = (file: OwnFile | undefined) => file?.unsigned === undefined;
  const others = [...own.values()].filter(
    (file) =>
      boots(file, own) &&
      isSigned(file) &&
      file.references.every((path) => isSigned(own.get(keyOf(path)))),
  );
  if (others.length > 0) return nothing;
  return {
    inventory: {
      ...inventory,
      entries: inventory.entries.map(({ unsigned: _unsigned, ...entry }) => entry),
      blobs: inventory.blobs.map(({ unsigned: _unsigned, ...blob }) => blob),
    },
    warnings: [
      'no entry that boots carries our signature, so none is replaced while Secure Boot is off: install another generation, then run again',
    ],
  };
}

function replacesUnsigned({ entries, blobs }: Inventory, wanted: Wanted): boolean {
  const lacking = [
    ...entries.flatMap(({ id, unsigned }) => (unsigned === undefined ? [] : [id.toLowerCase()])),
    ...blobs.flatMap(({ path, unsigned }) => (unsigned === undefined ? [] : [keyOf(path)])),
  ];
  if (lacking.length === 0) return false;
  const names = new Set(
    entriesOf(wanted).flatMap((entry) => [
      entry.id.toLowerCase(),
      ...filesOf(entry).map(({ path }) => keyOf(path)),
    ]),
  );
  return lacking.some((name) => names.has(name));
}
