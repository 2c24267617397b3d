/** Checks the flags of a single verb against a schema. */

import * as v from 'valibot';
import { EspError } from '../error.ts';
import { complaintOf } from '../schema-issue.ts';
import type { RawSettings } from './configuration-file.ts';

/** Returns the checked flags of a verb. @throws {CONFIG_INVALID} naming the wrong flag */
export function readFlags<Schema extends v.GenericSchema>(
  schema: Schema,
  flags: RawSettings,
  verb: string,
): v.InferOutput<Schema> {
  const checked = v.safeParse(schema, flags);
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  // Of an option that may be repeated, the path goes on to the number of the value.
  throw misuse(`--${v.getDotPath(issue)?.replace(/\..*/, '') ?? ''}: ${complaintOf(issue)}`, verb);
}

/** Returns the error for a wrong command line. */
export function misuse(message: string, verb: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint: `see espalier ${verb} --help` });
}
