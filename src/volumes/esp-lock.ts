/** The lock of one ESP, which every verb that writes to it takes. */

import type { Context } from '../context.ts';
import type { FileStat } from '../disk/disk.ts';
import type { Mounted } from '../esp/target.ts';
import type { Log } from '../terminal/log.ts';
import { acquireLock, type Lock, lockDirectory } from '../transaction/lock.ts';

/** What a verb brings to take the lock. */
export interface LockTaker {
  readonly verb: string;
  readonly context: Context;
  readonly log: () => Promise<Log>;
  /** Seconds to wait while another run holds the ESP. */
  readonly lockTimeout: number;
}

/**
 * Waits for the locks of several partitions and takes them.
 * @param mounted their mount points, as they were when they were read
 * @throws {LOCKED}
 */
export async function lockAll(mounted: Mounted, taker: LockTaker): Promise<Disposable> {
  using locks = new DisposableStack();
  // Every run takes the locks in one order, so that no two runs wait for each other.
  const inOrder = [...mounted].sort(([, a], [, b]) => (keyOf(a) < keyOf(b) ? -1 : 1));
  // Two partitions of one image have one lock.
  const each = new Map(inOrder.map(([root, stat]) => [keyOf(stat), [root, stat] as const]));
  for (const [root, stat] of each.values()) locks.use(await lockEsp(root, stat, taker));
  return locks.move();
}

/**
 * Waits for the lock of an ESP and takes it.
 * @param mounted its root, as it was when it was read
 * @throws {LOCKED}
 */
export async function lockEsp(
  root: string,
  mounted: FileStat | undefined,
  { verb, context, log, lockTimeout }: LockTaker,
): Promise<Lock> {
  const { host, environment, uid } = context;
  return acquireLock({
    disk: host,
    directory: lockDirectory(environment, uid),
    key: keyOf(mounted),
    verb,
    timeoutSeconds: lockTimeout,
    onWait: (holder) => void log().then((opened) => opened.warn({ esp: root, holder }, 'waiting')),
  });
}

function keyOf(mounted: FileStat | undefined): string {
  return `${(mounted?.device ?? 0).toString(16)}-${(mounted?.inode ?? 0).toString(16)}`;
}
