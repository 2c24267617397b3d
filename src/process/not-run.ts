/** Why the kernel does not start a program, in more words than its number has. */
import { errno } from '../io-error.ts';

const NOT_RUN: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such program, or not the interpreter that it names',
  EACCES: 'it may not be executed',
  ENOEXEC: 'it is no program for this machine, and no script with #!',
  E2BIG: 'its arguments are too long',
};

/** Returns why a program was not started. */
export function notRun(cause: unknown): string {
  const number = errno(cause) ?? 'unknown error';
  return NOT_RUN[number] ?? number;
}
