/** Which generations stay. */
import type { Mutant } from '../mutant.ts';

const RETENTION = 'test/generation/retention.test.ts';

export const generation: readonly Mutant[] = [
  {
    id: 'generation/limit-off-by-one',
    file: 'src/generation/retention.ts',
    find: 'else if (left > 0) wishes.push(generation);',
    replace: 'else if (left >= 0) wishes.push(generation);',
    killedBy: { file: RETENTION, title: /the newest generations are kept, and the rest/ },
    why: 'One generation more than the limit would fill the ESP.',
  },
  {
    id: 'generation/limit-zero-keeps-none',
    file: 'src/generation/retention.ts',
    find: 'limit === 0 ? Number.POSITIVE_INFINITY : limit',
    replace: 'limit',
    killedBy: { file: RETENTION, title: /a limit of 0 keeps all/ },
    why: 'Without a limit every older generation would lose its entry.',
  },
  {
    id: 'generation/roots-obey-limit',
    file: 'src/generation/retention.ts',
    find: 'if (because !== undefined) musts.push({ generation, because });',
    replace: 'if (because !== undefined && left > 0) musts.push({ generation, because });',
    killedBy: { file: RETENTION, title: /a root among the newest takes a place/ },
    why: 'The running system would lose its entry when it is older than the limit.',
  },
  {
    id: 'generation/target-takes-no-place',
    file: 'src/generation/retention.ts',
    find: "roots.get(toplevel) === 'target' ? left - 1 : left",
    replace: 'left',
    killedBy: { file: RETENTION, title: /a limit of 1 keeps the target alone/ },
    why: 'An ESP with room for one generation would be asked to hold two.',
  },
  {
    id: 'generation/replaced-before-it-booted',
    file: 'src/generation/retention.ts',
    find: 'const booted = isRunning(newest) ? newest : (whole.find(isRunning) ?? whole[0]);',
    replace: 'const booted = isRunning(newest) ? newest : newest;',
    killedBy: { file: RETENTION, title: /stay until a newer one has booted/ },
    why: 'A new initrd that does not come up would leave none to go back to.',
  },
  {
    id: 'generation/profiles-share-limit',
    file: 'src/generation/retention.ts',
    find: 'const left = places.get(generation.profile) ?? 0;',
    replace: 'const left = places.get(generations[0]?.profile) ?? 0;',
    killedBy: { file: RETENTION, title: /each profile has the limit for itself/ },
    why: 'Generations of one profile would push those of another off the ESP.',
  },
];
