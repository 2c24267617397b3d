/** A part of names that tells which process made them, so that what a killed one left can be told from what is in use. */
import * as fs from 'node:fs';
import { errno } from '../io-error.ts';

/** A mark as a part of a regular expression. */
export const MARK = String.raw`\d+-\d+`;

/** Returns the mark of this process: which table of processes (pid_namespaces(7)) it is in, and its number there. */
export function processMark(): string {
  return `${processTable()}-${process.pid}`;
}

/** Whether a mark is that of a process that is no more. Of one in another table nobody can tell. */
export function isOfTheDead(mark: string): boolean {
  const [table, id] = mark.split('-').map(Number);
  if (id === undefined || table !== processTable()) return false;
  try {
    process.kill(id, 0);
    return false;
  } catch (error) {
    // EPERM: it is there, and another user's.
    return errno(error) === 'ESRCH';
  }
}

/** Zero where /proc is not there to tell. */
function processTable(): number {
  try {
    return Number(/\d+/.exec(fs.readlinkSync('/proc/self/ns/pid'))?.[0] ?? 0);
  } catch (error) {
    if (errno(error) === undefined) throw error;
    return 0;
  }
}
