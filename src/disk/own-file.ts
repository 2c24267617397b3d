/** Whose a file is, where others may make files, too. */
import type { FileStat } from './disk.ts';

const OTHERS_MAY_WRITE = 0o022;

/** Tells whether a file is of the user that this process runs as, and nobody else may write it. */
export function isOurs({ uid, mode }: FileStat): boolean {
  return uid === process.getuid?.() && (mode & OTHERS_MAY_WRITE) === 0;
}
