/** Reads what an ESP holds at the paths of extra files. */
import { digestIn } from '../disk/digest-in.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, explain } from '../error.ts';
import { isDirectory } from '../esp/extra-manifest.ts';
import type { Inventory } from '../esp/inventory.ts';
import { directoryOf, type EspPath } from '../esp/layout.ts';
import {
  type DeclaredExtra,
  type ExtraCase,
  type ExtraView,
  extraCases,
  type FoundExtra,
  wantsDigest,
} from '../plan/extras.ts';

/** How closely to read: sizes alone; bytes where they decide the owner; or all bytes. */
export type Closeness = 'sizes' | 'decisive' | 'bytes';

/** Which paths to read, and how closely. */
export interface Wanting {
  readonly token: string;
  readonly declared: readonly DeclaredExtra[];
  readonly closeness: Closeness;
}

/** Reads every path that is declared, listed as ours, or taken over from another tool. */
export function viewExtras(
  root: string,
  { token, declared, closeness }: Wanting,
  { manifests = [], marks = [] }: Inventory,
  disk: Disk,
): readonly ExtraView[] {
  const taken = marks.map(({ of }) => of);
  return extraCases(declared, manifests, taken, token).map((extra) => {
    const found = find(root, extra, disk);
    const wants =
      found.kind === 'file' &&
      closeness !== 'sizes' &&
      wantsDigest(extra, found.size, closeness === 'bytes');
    return {
      ...extra,
      found: wants ? { ...found, ...read(`${root}/${extra.path}`, disk) } : found,
    };
  });
}

/** A file that cannot be read counts as damaged. The others are still read. */
function read(path: string, disk: Disk): Pick<FoundExtra, 'digest' | 'unreadable'> {
  try {
    return { digest: digestIn(path, disk) };
  } catch (error) {
    if (error instanceof EspError) return { unreadable: explain(error) };
    throw error;
  }
}

function find(root: string, { path }: ExtraCase, disk: Disk): FoundExtra {
  const stat = disk.linkStat(`${root}/${path}`);
  if (stat?.kind === 'file' && isDirectory(disk, root, directoryOf(path))) {
    return { kind: 'file', size: stat.size };
  }
  const isBlocked = stat !== undefined || isBelowOther(root, path, disk);
  return { kind: isBlocked ? 'blocked' : 'absent', size: 0 };
}

/** Returns whether something above a path exists and is no directory. */
function isBelowOther(root: string, path: EspPath, disk: Disk): boolean {
  for (let above = directoryOf(path); above !== ''; above = directoryOf(above)) {
    const kind = disk.linkStat(`${root}/${above}`)?.kind;
    if (kind !== undefined && kind !== 'directory') return true;
  }
  return false;
}
