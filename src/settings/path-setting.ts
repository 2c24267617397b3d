/** Paths as settings. */
import { resolve } from 'node:path';
import * as v from 'valibot';

/** Made absolute, relative to the directory in which the program runs. */
export const path = v.pipe(
  v.string('expected a path'),
  v.nonEmpty('expected a path, got nothing'),
  v.transform((given) => resolve(given)),
);

/** A path in a table of the configuration file, where no directory is the current one. */
export const absolute = v.pipe(
  v.string('expected a path'),
  v.startsWith('/', 'expected an absolute path'),
  v.transform((given) => resolve(given)),
);
