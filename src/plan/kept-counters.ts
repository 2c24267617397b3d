/** Boot counters of entries that are written anew under another name. Pure. */
import type { EntryFile, Inventory } from '../esp/inventory.ts';
import {
  type BootCounter,
  bootCounter,
  directoryOf,
  type EspPath,
  espPath,
  fileName,
} from '../esp/layout.ts';
import { idOf, mapEntries, movedTo, type WantedEntry, type WantedGeneration } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';

/** Returns the counter with which an entry will be written. */
export function comingCounter({ file }: WantedEntry): BootCounter | undefined {
  return bootCounter(fileName(file.path));
}

/** Returns a system in which what is written anew under another name keeps its boot counter. */
export function withKeptCounters(system: WantedSystem, { entries }: Inventory): WantedSystem {
  const { musts, wishes } = system;
  const kept = keepCounters([...musts, ...wishes], entries);
  return { ...system, musts: kept.slice(0, musts.length), wishes: kept.slice(musts.length) };
}

/**
 * Returns generations whose entries begin with the counters of those they take the place of. Other
 * secrets, another certificate or another format give an entry another name, but what it boots was tried
 * before: a bad one must not come back with new tries, nor a good one on trial.
 */
function keepCounters(
  generations: readonly WantedGeneration[],
  found: readonly EntryFile[],
): readonly WantedGeneration[] {
  const own = found.filter(({ name }) => name !== undefined);
  if (own.length === 0) return generations;
  const here = new Set(own.map(({ id }) => id.toLowerCase()));
  const wanted = new Set(
    generations.flatMap(({ entries }) => entries.map(({ id }) => id.toLowerCase())),
  );
  const before = Map.groupBy(
    own.filter(({ id }) => !wanted.has(id.toLowerCase())),
    ({ id, cmdline }) => systemOf(id, cmdline),
  );
  const counted = (entry: WantedEntry): WantedEntry => {
    if (here.has(entry.id.toLowerCase())) return entry;
    const system = systemOf(entry.id, entry.cmdline);
    const replaced = before.get(system)?.toSorted(fewestTries)[0];
    if (replaced === undefined) return entry;
    const path = withCounterOf(entry.file.path, replaced);
    return movedTo(entry, path);
  };
  return mapEntries(generations, counted);
}

/** What two entries of one system have in common: number, specialisation and the command line. */
function systemOf(id: string, cmdline: string): string {
  return `${id.toLowerCase().replace(/-[a-z2-7]{52}\.\w+$/, '')} ${cmdline}`;
}

/** Of several the one that is nearest to being bad: to be careful costs one more boot. */
function fewestTries(a: EntryFile, b: EntryFile): number {
  const left = ({ counter }: EntryFile) => counter?.triesLeft ?? Number.POSITIVE_INFINITY;
  return left(a) === left(b) ? 0 : left(a) - left(b);
}

function withCounterOf(path: EspPath, { path: other, id }: EntryFile): EspPath {
  const counter = fileName(other).slice(id.lastIndexOf('.'), -suffixOf(id).length);
  const plain = idOf(path);
  const suffix = suffixOf(plain);
  return espPath(directoryOf(path), `${plain.slice(0, -suffix.length)}${counter}${suffix}`);
}

function suffixOf(name: string): string {
  return name.slice(name.lastIndexOf('.'));
}
