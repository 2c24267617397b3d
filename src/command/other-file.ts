/** Whether two paths are one file: what is written to one would be lost in the other. */
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';

/** Returns whether two paths lead to one file. */
export function isSameFile({ disk }: Pick<Context, 'disk'>, a: string, b: string): boolean {
  const [one, other] = [disk.stat(a), disk.stat(b)];
  return one !== undefined && one.device === other?.device && one.inode === other.inode;
}

/** Makes sure that an output is none of the inputs, by whatever name. @throws {CONFIG_INVALID} */
export function requireOther(
  option: string,
  output: string,
  inputs: readonly string[],
  context: Pick<Context, 'disk'>,
): void {
  const input = inputs.find((each) => each === output || isSameFile(context, each, output));
  if (input === undefined) return;
  throw new EspError('CONFIG_INVALID', `${option}: ${output} is ${input}, which would be lost`, {
    hint: `name another file with ${option}`,
  });
}
