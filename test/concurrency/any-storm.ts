/** Any storm: chance's choice of verbs, limits, moments, deaths and changes of the profiles. */
import fc from 'fast-check';
import type { Profiles, Step } from './moment.ts';
import type { Call, Storm } from './storm.ts';

/** The generations that a machine has in its store; the profiles lead to some of them at a time. */
export const GENERATIONS = [1, 2, 3, 4];

/** The profiles at the beginning of a storm. */
export const BEFORE: Profiles = { generations: [1, 2], current: 2, pinned: [] };

/** What happens to the profiles: builds, a switch back, a deletion and pins. */
const STORY: readonly Step[] = [
  { kind: 'pin', number: 1 },
  { kind: 'add', number: 3 },
  { kind: 'switch', number: 3 },
  { kind: 'delete', number: 2 },
  { kind: 'add', number: 4 },
  { kind: 'switch', number: 4 },
  { kind: 'unpin', number: 1 },
];

/** Which storms. Times in milliseconds. */
export interface Weather {
  readonly processes: number;
  readonly duration: number;
  readonly kills: boolean;
  readonly watchers: number;
}

/** The longest time from the start of a process to its end by SIGKILL: some are done before. */
const LIFE = 400;

/** Few: what order many came in, each at one of several moments, takes long to find out. */
const COLLECTIONS = 3;

function some<T>(count: number, of: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(of, { minLength: count, maxLength: count });
}

/** Returns storms of such weather. In each, one `install` at least is not killed. */
export function anyStorm({ processes, duration, kills, watchers }: Weather): fc.Arbitrary<Storm> {
  const at = fc.nat({ max: duration });
  const life = fc.option(fc.integer({ min: 20, max: LIFE }), { nil: undefined });
  const common = {
    limit: fc.constantFrom(0, 1, 2),
    at,
    reversed: fc.boolean(),
    killAfter: kills ? life : fc.constant(undefined),
  };
  const call = (verbs: readonly Call['verb'][]) =>
    fc.record<Call>({
      ...common,
      verb: fc.constantFrom(...verbs),
      patience: fc.constantFrom(0, 60, 60, 60, 60),
    });
  return fc
    .record({
      calls: some(processes - COLLECTIONS - 1, call(['install', 'install', 'repair'])),
      collections: some(COLLECTIONS, call(['gc'])),
      watchers: some(watchers, call(['watch'])),
      sure: fc.record<Call>({
        ...common,
        verb: fc.constant('install'),
        patience: fc.constant(60),
        killAfter: fc.constant(undefined),
      }),
      times: fc.array(at, { minLength: STORY.length, maxLength: STORY.length }),
    })
    .map(({ calls, collections, watchers, sure, times }) => {
      const sorted = times.toSorted((a, b) => a - b);
      return {
        calls: [...calls, ...collections, ...watchers, sure],
        steps: STORY.map((step, index) => ({ step, at: sorted[index] ?? 0 })),
      };
    });
}
