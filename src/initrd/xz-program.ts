/** How xz is unpacked, which Node cannot: through the program of that name. */
import { boundedEnvironment } from '../process/environment.ts';
import type { Environment, Machine } from '../process/machine.ts';
import type { Unxz } from './xz.ts';

/** A dictionary of 64 MiB is the largest that xz itself makes. Bytes. */
const MEMORY_LIMIT = 100 * 1024 * 1024;
const ARGUMENTS = ['--decompress', '--stdout', `--memlimit-decompress=${MEMORY_LIMIT}`];

/**
 * Returns what unpacks a stream of xz with the program on PATH, undefined when there is none. The
 * program is killed when not all is taken.
 * @throws {IO} from what it returns, with what the program said, when it does not take the stream
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
