/** JSON from outside, checked against the shape that it should have. */
import * as v from 'valibot';
import { EspError } from '../error.ts';

/**
 * Returns the value that a JSON text stands for; `name` is the file in error messages.
 * @throws {VERITY_MALFORMED} when it is not JSON, or of another shape
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
  throw malformed(`${name}: ${where === null ? '' : `${where}: `}${issue.message}`);
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
