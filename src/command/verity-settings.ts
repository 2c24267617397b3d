/** The flags of `verity`, checked. */
import { resolve } from 'node:path';
import { hexToBytes } from '@noble/hashes/utils.js';
import * as v from 'valibot';
import { DESIGNATORS } from '../gpt/partition-type.ts';
import { ALGORITHMS, isAlgorithm } from '../verity/algorithm.ts';
import { isBlockSize, MAX_SALT } from '../verity/superblock.ts';
import { parseUuid } from '../verity/uuid.ts';

const count = v.pipe(
  v.string('expected a number'),
  v.regex(/^\d{1,15}$/, 'expected a number'),
  v.transform(Number),
);
const blockSize = v.optional(
  v.pipe(count, v.check(isBlockSize, 'expected a power of two from 512 to 524288')),
  '4096',
);
const hashOffset = v.optional(v.pipe(count, v.multipleOf(512, 'expected a multiple of 512')), '0');
const path = v.pipe(v.string('expected a path'), v.nonEmpty('expected a path, got nothing'));
const absolutePath = v.pipe(
  path,
  v.transform((given) => resolve(given)),
);
const uuid = v.optional(
  v.pipe(
    v.string(),
    v.rawTransform(({ dataset: { value }, addIssue, NEVER }) => {
      const bytes = parseUuid(value);
      if (bytes === undefined) addIssue({ message: 'expected a UUID' });
      return bytes ?? NEVER;
    }),
  ),
);
const salt = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^(-|([0-9a-f]{2}){1,256})$/i, `expected 1 to ${MAX_SALT} bytes in hexadecimal, or -`),
    v.transform((hex) => hexToBytes(hex === '-' ? '' : hex)),
  ),
);

const strict = v.optional(v.boolean(), false);

export const formatSchema = v.strictObject({
  'data-block-size': blockSize,
  'hash-block-size': blockSize,
  'data-blocks': v.optional(v.pipe(count, v.minValue(1, 'expected at least 1'))),
  'hash-offset': hashOffset,
  hash: v.optional(
    v.pipe(
      v.string(),
      v.transform((name) => name.toLowerCase()),
      v.guard(isAlgorithm, `expected one of ${ALGORITHMS.join(', ')}`),
    ),
    'sha256',
  ),
  salt,
  uuid,
  seed: uuid,
  'root-hash-file': v.optional(path),
  strict,
});

export const dumpSchema = v.strictObject({ 'hash-offset': hashOffset });

export const verifySchema = v.strictObject({
  'hash-offset': hashOffset,
  'root-hash-file': v.optional(path),
  strict,
});

export const signSchema = v.strictObject({
  certificate: absolutePath,
  'private-key': absolutePath,
  'allow-insecure-key': v.optional(v.boolean(), false),
  of: v.optional(v.picklist(DESIGNATORS, 'expected root or usr')),
  output: v.optional(path),
  document: v.optional(path),
});
