/** Which entry takes the place of one that must not boot next. */
import type { WantedEntry, WantedGeneration } from '../plan/wanted.ts';
import type { Survey } from './surveyed.ts';

/** Makes a wanted entry the one that boots next, and its generation one that must be on the ESP. */
export function withDefault(surveyed: Survey, id: string): Survey {
  const { musts, wishes } = surveyed;
  const hasIt = ({ entries }: WantedGeneration) => entries.some((entry) => entry.id === id);
  if (musts.some(hasIt)) return { ...surveyed, default: id };
  const wish = wishes.find(hasIt);
  if (!wish) return surveyed;
  const others = wishes.filter((other) => other !== wish);
  return { ...surveyed, default: id, musts: [...musts, wish], wishes: others };
}

/** Returns what boots next in the place of another: the running system, else the newest that may. */
export function standIn(
  { musts, wishes, running }: Survey,
  isPossible: (entry: WantedEntry) => boolean,
): WantedEntry | undefined {
  const possible = [...musts, ...wishes]
    .toSorted(newestFirst)
    .flatMap(({ entries }) => entries)
    .filter(isPossible);
  return possible.find(({ toplevel }) => toplevel === running) ?? possible[0];
}

/** Numbers of different profiles say nothing about each other; the system profile's come first. */
function newestFirst(a: WantedGeneration, b: WantedGeneration): number {
  const isNamed = ({ name, number }: WantedGeneration) => name !== String(number);
  return Number(isNamed(a)) - Number(isNamed(b)) || b.number - a.number;
}
