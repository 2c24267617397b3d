/** Schemas of the kinds of values in settings: what is accepted, and what it becomes. */
import { resolve } from 'node:path';
import * as v from 'valibot';

/** A path. It becomes absolute, from the directory in which the program runs. */
export const path = v.pipe(
  v.string('expected a path'),
  v.nonEmpty('expected a path, got nothing'),
  v.transform((given) => resolve(given)),
);

/**
 * A path in a table of the configuration file. It must be absolute: there is no current directory.
 */
export const absolute = v.pipe(
  v.string('expected a path'),
  v.startsWith('/', 'expected an absolute path'),
  v.transform((given) => resolve(given)),
);

/** One path or several. It becomes a list. */
export const paths = v.pipe(
  v.union(
    [
      v.array(path),
      v.pipe(
        path,
        v.transform((one) => [one]),
      ),
    ],
    'expected a path, or a list of paths',
  ),
  v.minLength(1, 'expected a path, got an empty list'),
);

const textOrNumber = [v.string(), v.number()] as const;

/** A number of bytes with an optional binary suffix, such as `64M`. It becomes bytes. */
export const size = v.pipe(
  v.union(textOrNumber, 'expected bytes, or a number with K, M or G'),
  v.transform((raw) => parseSize(String(raw))),
  v.number('expected bytes, or a number with K, M or G'),
);

/** A number from 0, with at most nine digits. */
export const count = v.pipe(
  v.union(textOrNumber, 'expected a number from 0'),
  v.transform((raw) => (/^\d{1,9}$/.test(String(raw)) ? Number(raw) : Number.NaN)),
  v.number('expected a number from 0'),
);

/** A switch. Variables of the environment write it out as a word. */
export const flag = v.union(
  [
    v.boolean(),
    v.pipe(
      v.picklist(['1', 'true', 'yes']),
      v.transform(() => true),
    ),
    v.pipe(
      v.picklist(['0', 'false', 'no', '']),
      v.transform(() => false),
    ),
  ],
  'expected true or false',
);

/** A program and its arguments, divided by blanks. There are no quotes. */
export const words = v.pipe(
  v.string('expected a command'),
  v.transform((text) => text.split(/\s+/).filter((word) => word !== '')),
  v.minLength(1, 'expected a command, got nothing'),
);

/** Returns a schema of texts that a function understands. */
export function understood<T>(read: (text: string) => T | undefined, expected: string) {
  return v.pipe(
    v.string(`expected ${expected}`),
    v.rawTransform(({ dataset: { value }, addIssue, NEVER }): T => {
      const result = read(value);
      if (result === undefined) addIssue({ message: `expected ${expected}` });
      return result ?? NEVER;
    }),
  );
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** Returns the bytes of a text such as `64M`, or NaN. */
function parseSize(text: string): number {
  const match = /^(\d{1,12})([KMG]?)$/i.exec(text);
  return Number(match?.[1] ?? Number.NaN) * (UNITS[match?.[2]?.toUpperCase() ?? ''] ?? Number.NaN);
}
