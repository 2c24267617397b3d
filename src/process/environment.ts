/** Chooses the variables that a child program gets. */
import type { Environment } from './machine.ts';

/** Returns PATH, HOME and LANG alone, so no PIN and no token of a signer reaches the program. */
export function boundedEnvironment(environment: Environment): Record<string, string> {
  // The hook that starts this program need not set PATH.
  const fallback = '/run/current-system/sw/bin:/usr/bin:/bin:/usr/sbin:/sbin';
  const { PATH = fallback, HOME = '/', LANG = 'C' } = environment;
  return { PATH, HOME, LANG };
}
