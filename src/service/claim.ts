/** One watcher for each set of ESPs: the second is refused, with the name of the first. */

import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import type { Settings } from '../settings/settings.ts';
import { acquireLock, type Lock, lockDirectory } from '../transaction/lock.ts';

/** A held claim on a set of ESPs. */
export interface Claim {
  readonly key: string;
  readonly lock: Lock;
}

/**
 * Claims the ESPs of the settings for this process. The claim lasts until the process ends or
 * releases it. It is not the lock of an ESP, which `install` takes too: a waiting watcher does not
 * block `install`.
 * @param held the claim under the previous settings; released once the new one is held
 * @throws {LOCKED} when another watcher holds the claim; the message names it
 */
export async function claimEsps(
  { esp }: Settings,
  { disk, host, environment, uid }: Context,
  held?: Claim,
): Promise<Claim> {
  const onHost = (path: string) => disk.hostPath(path) ?? path;
  // An ESP that is not mounted yet is known by its path alone. "/" stands for an ESP still to be
  // found.
  const paths = (esp ?? ['/']).map((path) => onHost(disk.realPath(path) ?? path)).sort();
  const key = `watch-${hash(paths.join('\0')).slice(0, 16)}`;
  if (key === held?.key) return held;
  const lock = await acquireLock({
    disk: host,
    directory: lockDirectory(environment, uid),
    key,
    verb: 'watch',
    timeoutSeconds: 0,
  });
  held?.lock.release();
  return { key, lock };
}
