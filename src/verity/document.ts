/** Parses JSON from outside and checks its shape. */

import * as v from 'valibot';
import { EspError } from '../error.ts';
import { complaintOf } from '../schema-issue.ts';

/**
 * Returns the value of a JSON text. `name` is the file's name in errors.
 * @throws {VERITY_MALFORMED} when the text is not JSON, or has another shape
 */
export function parseDocument<Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
  name: string,
): v.InferOutput<Schema> {
  const checked = v.safeParse(schema, parseJson(text, name));
  if (checked.success) return checked.output;
  const [issue] = checked.issues;
  const where = v.getDotPath(issue);
  throw malformed(`${name}: ${where === null ? '' : `${where}: `}${complaintOf(issue)}`);
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(`${name}: expected JSON`, cause);
  }
}

function malformed(message: string, cause?: unknown): EspError {
  return new EspError('VERITY_MALFORMED', message, { cause });
}
