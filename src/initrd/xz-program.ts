/** Unpacks xz with the program of that name, because Node cannot. */
import { boundedEnvironment } from '../process/environment.ts';
import type { Environment, Machine } from '../process/machine.ts';
import type { Unxz } from './xz.ts';

/** In bytes. xz itself makes no dictionary larger than 64 MiB. */
const MEMORY_LIMIT = 100 * 1024 * 1024;
const ARGUMENTS = ['--decompress', '--stdout', `--memlimit-decompress=${MEMORY_LIMIT}`];

/**
 * Returns a function that unpacks a stream of xz with the program on PATH, or undefined when there
 * is none. The program is killed when the caller stops reading early.
 * @throws {IO} from that function, with the program's message, when it rejects the stream
 */
export function findXz(
  machine: Pick<Machine, 'findProgram' | 'filter'>,
  variables: Environment,
): Unxz | undefined {
  const program = machine.findProgram('xz', variables);
  if (program === undefined) return undefined;
  const environment = boundedEnvironment(variables);
  return (stream) => machine.filter([program, ...ARGUMENTS], environment, stream);
}
