/** Which unsigned files are left as they are, because the machine may have nothing else that boots. Pure. */
import type { Inventory } from '../esp/inventory.ts';
import { profileId } from '../esp/shared-entry.ts';
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

/** What a file lacks that boots all the same. */
interface Lack {
  readonly mark: 'unsigned' | 'unauthorised';
  readonly warning: string;
}

const LACKS: readonly Lack[] = [
  {
    mark: 'unsigned',
    warning:
      'no entry that boots carries our signature, so none is replaced while Secure Boot is off: install another generation, then run again',
  },
  {
    mark: 'unauthorised',
    warning:
      'no entry that boots carries the policies for PCR 11, so none is replaced to get them: install another generation, then run again',
  },
];

/**
 * Returns an inventory in which files count as whole that lack a signature or a policy, where they must
 * not be replaced. While Secure Boot is off, unsigned files boot, and those without a policy always do;
 * FAT may lose a name while its file is replaced. So they are replaced only when another entry boots, one
 * that this run does not touch. What is wanted under another name, such as that of a new certificate,
 * replaces nothing.
 */
export function sparedLast(
  { inventory, firmware }: Pick<EspView, 'inventory' | 'firmware'>,
  wanted: Wanted,
): Spared {
  const isEnforcing = firmware?.secureBoot === true;
  const counting = LACKS.filter(({ mark }) => !(isEnforcing && mark === 'unsigned'));
  return counting.reduce<Spared>(
    (spared, lack) => {
      const next = sparedFrom(spared.inventory, lack, wanted);
      return { ...next, warnings: [...spared.warnings, ...next.warnings] };
    },
    { inventory, warnings: [] },
  );
}

function sparedFrom(inventory: Inventory, { mark, warning }: Lack, wanted: Wanted): Spared {
  const nothing = { inventory, warnings: [] };
  if (!isReplaced(inventory, mark, wanted)) return nothing;
  const own = ownFiles(inventory);
  const isWhole = (file: OwnFile | undefined) => file?.[mark] === undefined;
  const others = [...own.values()].filter(
    (file) =>
      boots(file, own) &&
      isWhole(file) &&
      file.references.every((path) => isWhole(own.get(keyOf(path)))),
  );
  if (others.length > 0) return nothing;
  const unmarked = <File extends object>(file: File): File => ({ ...file, [mark]: undefined });
  return {
    inventory: {
      ...inventory,
      entries: inventory.entries.map(unmarked),
      blobs: inventory.blobs.map(unmarked),
    },
    warnings: [warning],
  };
}

function isReplaced({ entries, blobs }: Inventory, mark: Lack['mark'], wanted: Wanted): boolean {
  const isLacking = (file: { readonly [Mark in Lack['mark']]?: string }) =>
    file[mark] !== undefined;
  const lacking = [
    ...entries.filter(isLacking).map(({ id }) => id.toLowerCase()),
    ...blobs.filter(isLacking).flatMap(({ path, profiles = [] }) => [keyOf(path), ...profiles]),
  ];
  if (lacking.length === 0) return false;
  const names = new Set(
    entriesOf(wanted).flatMap((entry) => [
      entry.id.toLowerCase(),
      profileId(entry.id),
      ...filesOf(entry).map(({ path }) => keyOf(path)),
    ]),
  );
  // Which image an entry boots a part of is decided later: the one that it leads to may be made anew.
  const led = new Set(
    entries
      .filter(({ id }) => names.has(id.toLowerCase()))
      .flatMap(({ references }) => references.map(keyOf)),
  );
  return lacking.some((name) => names.has(name) || led.has(name));
}
