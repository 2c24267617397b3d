/** A path as a setting. */
import { resolve } from 'node:path';
import * as v from 'valibot';

/** Made absolute, relative to the directory in which the program runs. */
export const path = v.pipe(
  v.string('expected a path'),
  v.nonEmpty('expected a path, got nothing'),
  v.transform((given) => resolve(given)),
);
