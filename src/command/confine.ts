/** `confine`: a drop-in that lets a service see its closure and nothing else. */
import { EspError } from '../error.ts';
import type { Context } from './context.ts';
import type { Invocation } from './program.ts';

/** Writes the drop-in of one unit. */
export async function confine({ operand }: Invocation, _context: Context): Promise<number> {
  throw new EspError('CONFIG_INVALID', `${operand}: cannot be confined yet`);
}
