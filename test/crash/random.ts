/** Chance that repeats itself: the same seed gives the same numbers. */

/** A source of numbers. */
export interface Random {
  /** Returns a whole number from 0 to `limit` - 1. */
  below(limit: number): number;
  /** Returns true in half of all cases. */
  coin(): boolean;
}

/** Returns a source whose numbers follow from a seed and a name alone, so that none depends on another. */
export function randomOf(seed: number, name: string): Random {
  let state = seed >>> 0;
  for (const character of name) state = mix(state ^ (character.codePointAt(0) ?? 0));
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    return mix(state) / 2 ** 32;
  };
  return { below: (limit) => Math.floor(next() * limit), coin: () => next() < 0.5 };
}

/** The finalizer of MurmurHash3: every bit of the result depends on every bit of the value. */
function mix(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
