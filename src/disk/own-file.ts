/** Tells whose a file is, in a directory where other users may make files too. */
import type { Disk, FileStat } from './disk.ts';

const OTHERS_MAY_WRITE = 0o022;

/** Returns whether the user of this process owns a file, and nobody else may write it. */
export function isOurs({ uid, mode }: FileStat): boolean {
  return uid === process.getuid?.() && (mode & OTHERS_MAY_WRITE) === 0;
}

/** Returns whether a path itself, and not what a link leads to, is of a kind and ours. */
export function isTrusted(
  disk: Pick<Disk, 'linkStat'>,
  path: string,
  kind: FileStat['kind'],
): boolean {
  const stat = disk.linkStat(path);
  return stat?.kind === kind && isOurs(stat);
}
