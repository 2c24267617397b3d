/** Sends a stream through a program. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pipeline, Readable } from 'node:stream';
import { EspError } from '../error.ts';
import { keepTail, lastLines } from './last-words.ts';
import type { Environment } from './machine.ts';

/** Yields a program's output for a stream, as {@link Machine.filter} describes. */
export async function* filtered(
  [program = '', ...args]: readonly string[],
  environment: Environment,
  stream: Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const child = spawn(program, args, { env: environment });
  try {
    await once(child, 'spawn');
    const tail = keepTail(child.stderr);
    const ended: Promise<unknown[]> = once(child, 'close');
    // The program may end before it has read everything. Its exit status says why.
    pipeline(Readable.from(stream), child.stdin, () => {});
    yield* child.stdout;
    const [status, signal] = await ended;
    if (status === 0) return;
    const end = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
    throw new EspError('IO', `${program} ${end}${lastLines(tail())}`);
  } finally {
    child.kill('SIGKILL');
  }
}
