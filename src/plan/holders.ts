/** Who holds the space of an ESP: generations, what they share, loaders, others, and what is left. Pure. */
import type { BlobFile, Inventory } from '../esp/inventory.ts';
import { volumesOf } from '../esp/layout.ts';
import { allocated } from '../esp/space.ts';
import { enumerated } from '../quantity.ts';
import type { EspView } from './view.ts';

/** The kinds of holders, in the order in which they are told. */
export type HolderKind =
  | 'generation'
  | 'shared'
  | 'unused'
  | 'extra'
  | 'loader'
  | 'others'
  | 'reserve'
  | 'free';

/** A holder of space. Size in bytes, in whole clusters. */
export interface Holder {
  readonly kind: HolderKind;
  readonly name: string;
  readonly size: number;
  /** The number of the generation that holds it alone. */
  readonly generation?: number;
}

/** A volume with everything that fills it: the sizes add up to `total`, in bytes. */
export interface HeldVolume {
  readonly path: string;
  readonly total: number;
  readonly holders: readonly Holder[];
}

/**
 * Returns the volumes of an ESP, that of the entries first, each with its holders.
 * @param reserve in bytes; what no plan touches of the free space
 */
export function heldVolumes(view: EspView, reserve: number): readonly HeldVolume[] {
  const { root, xbootldr, inventory } = view;
  const { espSpace, clusterSize } = inventory;
  const own = ownHolders(inventory, clusterSize);
  const [entriesExtra, espExtra] = extraHolders(view, clusterSize);
  const copies = loaderHolders(view, (espSpace ?? inventory).clusterSize);
  if (espSpace === undefined) {
    return [volumeOf(root, inventory, [...own, ...copies, ...entriesExtra, ...espExtra], reserve)];
  }
  return [
    volumeOf(xbootldr ?? root, inventory, [...own, ...entriesExtra], reserve),
    volumeOf(root, espSpace, [...copies, ...espExtra], reserve),
  ];
}

function loaderHolders({ loaders }: EspView, clusterSize: number): readonly Holder[] {
  return loaders.flatMap(({ path, size, installed }): Holder[] =>
    installed.kind === 'systemd-boot'
      ? [{ kind: 'loader', name: path, size: allocated(size, clusterSize) }]
      : [],
  );
}

/** Files that the settings declare: those beside the entries, and those beside the loaders. */
function extraHolders(
  { extras }: EspView,
  clusterSize: number,
): readonly [readonly Holder[], readonly Holder[]] {
  const held = (isBeside: boolean): readonly Holder[] => {
    const size = extras.reduce((sum, { path, records, found }) => {
      const isHere = (volumesOf(path)[0] === 'xbootldr') === isBeside;
      const isOurs = records.length > 0 && found.kind === 'file';
      return isHere && isOurs ? sum + allocated(found.size, clusterSize) : sum;
    }, 0);
    return size > 0 ? [{ kind: 'extra', name: 'Files that the settings declare', size }] : [];
  };
  return [held(true), held(false)];
}

function volumeOf(
  path: string,
  { total, free }: { readonly total: number; readonly free: number },
  known: readonly Holder[],
  reserve: number,
): HeldVolume {
  const kept = Math.min(free, reserve);
  const others = total - free - known.reduce((sum, { size }) => sum + size, 0);
  const rest: readonly Holder[] = [
    { kind: 'others', name: 'Others, and the file system itself', size: Math.max(0, others) },
    { kind: 'reserve', name: 'Reserve', size: kept },
    { kind: 'free', name: 'Free', size: free - kept },
  ];
  return { path, total, holders: [...known, ...rest].filter(({ size }) => size > 0) };
}

/** Files of ours: of one generation, of several, or of none any more. */
function ownHolders({ entries, blobs }: Inventory, clusterSize: number): readonly Holder[] {
  const namers = new Map<string, Set<number>>();
  const sizes = new Map<number, number>();
  const add = (generation: number, size: number) =>
    sizes.set(generation, (sizes.get(generation) ?? 0) + allocated(size, clusterSize));
  for (const { name, size, references } of entries) {
    if (name === undefined) continue;
    add(name.generation, size);
    for (const path of references) {
      const known = namers.get(path.toLowerCase()) ?? new Set();
      namers.set(path.toLowerCase(), known.add(name.generation));
    }
  }
  const shared = new Map<string, Holder>();
  for (const blob of blobs) {
    const generations = [...(namers.get(blob.path.toLowerCase()) ?? [])].sort((a, b) => b - a);
    const [only, ...more] = generations;
    if (only !== undefined && more.length === 0) add(only, blob.size);
    else join(shared, sharedHolder(blob, generations, clusterSize));
  }
  const alone = [...sizes].sort(([a], [b]) => b - a);
  return [
    ...alone.map(
      ([generation, size]): Holder => ({
        kind: 'generation',
        name: `Generation ${generation}`,
        size,
        generation,
      }),
    ),
    ...shared.values(),
  ];
}

/** How many generations are named. */
const NAMED = 6;

function sharedHolder(
  { size }: BlobFile,
  generations: readonly number[],
  clusterSize: number,
): Holder {
  const taken = allocated(size, clusterSize);
  if (generations.length === 0)
    return { kind: 'unused', name: 'No generation any more', size: taken };
  const name = `Shared by generations ${enumerated(generations, NAMED)}`;
  return { kind: 'shared', name, size: taken };
}

function join(holders: Map<string, Holder>, { kind, name, size }: Holder): void {
  holders.set(name, { kind, name, size: size + (holders.get(name)?.size ?? 0) });
}
