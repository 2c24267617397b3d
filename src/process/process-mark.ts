/**
 * Marks names with the process that made them. The mark tells leftovers of a dead run from files in
 * use.
 */
import * as fs from 'node:fs';
import { errno } from '../io-error.ts';

/** The pattern of a mark, for regular expressions. */
export const MARK = String.raw`\d+-\d+`;

/**
 * Returns the mark of this process: its table of processes (pid_namespaces(7)), and its number
 * there.
 */
export function processMark(): string {
  return `${processTable()}-${process.pid}`;
}

/**
 * Returns whether the process of a mark is dead. For another process table it is unknown, so false.
 */
export function isStale(mark: string): boolean {
  const [table, id] = mark.split('-').map(Number);
  if (id === undefined || table !== processTable()) return false;
  try {
    process.kill(id, 0);
    return false;
  } catch (error) {
    // EPERM: the process lives, and belongs to another user.
    return errno(error) === 'ESRCH';
  }
}

/** Returns zero when there is no /proc. */
function processTable(): number {
  try {
    return Number(/\d+/.exec(fs.readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  } catch (error) {
    if (errno(error) === undefined) throw error;
    return 0;
  }
}
