/** How xz is unpacked, which Node cannot: through the program of that name. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { delimiter, join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { EspError } from '../error.ts';
import { boundedEnvironment, keepTail, lastLines } from './child-program.ts';

/** A dictionary of 64 MiB is the largest that xz itself makes. Bytes. */
const MEMORY_LIMIT = 100 * 1024 * 1024;
const ARGUMENTS = ['--decompress', '--stdout', `--memlimit-decompress=${MEMORY_LIMIT}`];

/**
 * Returns what unpacks a stream of xz with the program on PATH, undefined when there is none. The
 * program is killed when not all is taken.
 * @throws {IO} from what it returns, with what the program said, when it does not take the stream
 */
export function findXz(
  variables: Readonly<Record<string, string | undefined>>,
): ((stream: Iterable<Uint8Array>) => AsyncIterable<Uint8Array>) | undefined {
  const environment = boundedEnvironment(variables);
  const places = (environment['PATH'] ?? '').split(delimiter).filter((place) => place !== '');
  const program = places.map((place) => join(place, 'xz')).find(isExecutable);
  return program === undefined ? undefined : (stream) => unpacked(program, environment, stream);
}

async function* unpacked(
  program: string,
  environment: Readonly<Record<string, string>>,
  stream: Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const child = spawn(program, ARGUMENTS, { env: environment });
  try {
    await once(child, 'spawn');
    const tail = keepTail(child.stderr);
    const ended: Promise<unknown[]> = once(child, 'close');
    // It may end before it has read all: what it ends with says why.
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

function isExecutable(path: string): boolean {
  try {
    fs.accessSync(path, fs.constants.X_OK);
    return true;
  } catch {
    return false; // absent or not ours to run: both mean that it is not here
  }
}
