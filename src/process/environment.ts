/** Which variables a child program gets. */
import type { Environment } from './machine.ts';

/** Returns PATH, HOME and LANG of an environment and no other variable: no PIN, no token of a signer. */
export function boundedEnvironment(environment: Environment): Record<string, string> {
  // The hook that starts us is promised no PATH.
  const fallback = '/run/current-system/sw/bin:/usr/bin:/bin:/usr/sbin:/sbin';
  const { PATH = fallback, HOME = '/', LANG = 'C' } = environment;
  return { PATH, HOME, LANG };
}
