/** Reads the description of an image: TOML, checked as a whole, every mistake with its line. */

import { dirname } from 'node:path';
import * as v from 'valibot';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { complaintOf } from '../schema-issue.ts';
import { nearest } from '../settings/nearest.ts';
import { lineOf } from './toml-lines.ts';
import { descriptionSchema, type TomlDescription } from './toml-schema.ts';

/** In bytes. */
const MAX_DESCRIPTION = 4 * 1024 * 1024;

/** A description, and where relative paths in it begin. */
export interface ReadDescription {
  readonly file: string;
  readonly directory: string;
  readonly values: TomlDescription;
}

/** Returns the error for a description that contradicts itself. */
export function invalid({ file }: ReadDescription, what: string, hint?: string): EspError {
  return new EspError('CONFIG_INVALID', `${file}: ${what}`, { hint });
}

/**
 * Reads a description.
 * @throws {CONFIG_INVALID} naming each wrong key and its line
 * @throws {FILE_MISSING}
 */
export async function readDescription(file: string, disk: Disk): Promise<ReadDescription> {
  const text = new TextDecoder().decode(disk.read(file, MAX_DESCRIPTION));
  const checked = v.safeParse(descriptionSchema, await parseToml(text, file));
  if (!checked.success) throw mistakes(checked.issues, text, file);
  return { file, directory: dirname(file), values: checked.output };
}

async function parseToml(text: string, file: string): Promise<unknown> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new EspError('CONFIG_INVALID', `${file}:${error.line}: not TOML: ${what}`);
  }
}

function mistakes(issues: readonly v.BaseIssue<unknown>[], text: string, file: string): EspError {
  const lines = issues.map((issue) => describe(issue, text));
  const [first, ...others] = [...new Set(lines)].map(([line, what]) => `${file}:${line}: ${what}`);
  const hint =
    others.length > 0 ? `also:\n${others.map((line) => `    ${line}`).join('\n')}` : undefined;
  return new EspError('CONFIG_INVALID', first ?? file, { hint });
}

function describe(issue: v.BaseIssue<unknown>, text: string): readonly [number, string] {
  const path = (issue.path ?? []).map(({ key }) => (typeof key === 'number' ? key : String(key)));
  const line = lineOf(text, path) ?? 1;
  const key = path.join('.');
  if (issue.type !== 'strict_object' || issue.expected !== 'never') {
    return [line, `${key}: ${complaintOf(issue)}`];
  }
  const last = String(path.at(-1));
  const meant = nearest(last, knownKeys(path));
  return [line, `there is no key ${key}${meant === undefined ? '' : `: did you mean ${meant}?`}`];
}

/** Returns the keys of the table that a wrong key is in. */
function knownKeys(path: readonly (string | number)[]): readonly string[] {
  let schema: unknown = descriptionSchema;
  for (const part of path.slice(0, -1)) schema = below(schema, part);
  const entries = entriesOf(schema);
  return entries === undefined ? [] : Object.keys(entries);
}

function below(schema: unknown, part: string | number): unknown {
  const inner = unwrapped(schema);
  // One table may stand where a list of them may.
  if (typeof part === 'number') return member(inner, 'item') ?? inner;
  return entriesOf(inner)?.[part];
}

function unwrapped(schema: unknown): unknown {
  const getter = member(schema, 'getter');
  const wrapped = typeof getter === 'function' ? getter({}) : member(schema, 'wrapped');
  return wrapped === undefined ? schema : unwrapped(wrapped);
}

function entriesOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  const entries = member(unwrapped(schema), 'entries');
  return typeof entries === 'object' && entries !== null
    ? (entries as Readonly<Record<string, unknown>>)
    : undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
