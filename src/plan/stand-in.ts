/** Chooses the entry that replaces one that must not boot next. Pure. */
import type { WantedEntry, WantedGeneration } from './wanted.ts';
import type { WantedSystem } from './wanted-system.ts';

/** The generations whose entries could boot next, and the running system. */
type Candidates = Pick<WantedSystem, 'musts' | 'wishes' | 'running'>;

/** Returns the generations, with the entry's own among those that must be on the ESP. */
export function mustHave<Wanted extends Pick<WantedSystem, 'musts' | 'wishes'>>(
  wanted: Wanted,
  id: string,
): Wanted {
  const { musts, wishes } = wanted;
  const hasIt = ({ entries }: WantedGeneration) => entries.some((entry) => entry.id === id);
  const wish = musts.some(hasIt) ? undefined : wishes.find(hasIt);
  if (!wish) return wanted;
  return { ...wanted, musts: [...musts, wish], wishes: wishes.filter((other) => other !== wish) };
}

/** Returns the replacement of an entry: the running system, else the newest that may boot. */
export function standIn(
  { musts, wishes, running }: Candidates,
  isPossible: (entry: WantedEntry) => boolean,
): WantedEntry | undefined {
  const possible = [...musts, ...wishes]
    .toSorted(newestFirst)
    .flatMap(({ entries }) => entries)
    .filter(isPossible);
  return possible.find(({ toplevel }) => toplevel === running) ?? possible[0];
}

/** Numbers of different profiles cannot be compared, so the system profile's come first. */
function newestFirst(a: WantedGeneration, b: WantedGeneration): number {
  const isNamed = ({ name, number }: WantedGeneration) => name !== String(number);
  return Number(isNamed(a)) - Number(isNamed(b)) || b.number - a.number;
}
