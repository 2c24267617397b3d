/** The flags of `image build`, checked. */
import { resolve } from 'node:path';
import * as v from 'valibot';
import { parseBytes } from '../image/definition-values.ts';
import { flag, path, understood } from '../settings/value-schemas.ts';
import { parseUuid } from '../verity/uuid.ts';

const uuid = understood(parseUuid, 'a UUID');

/** A number of bytes as systemd writes it, or `auto`. */
const diskSize = understood(
  (text): number | 'auto' | undefined => (text === 'auto' ? text : parseBytes(text)),
  'a size, as 4G, or auto',
);

const sectorSize = v.pipe(v.picklist(['512', '4096'], 'expected 512 or 4096'), v.transform(Number));

const switchOff = v.optional(flag, false);

const output = v.optional(
  v.pipe(
    v.string('expected a path'),
    v.nonEmpty('expected a path, got nothing'),
    v.transform((given) => ({ given, path: resolve(given) })),
  ),
);
const architecture = v.optional(
  v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,32}$/, 'expected the name of an architecture')),
);

/** What says what an image is, and with which key it is signed. */
const job = {
  definitions: v.optional(v.array(path), []),
  seed: v.optional(uuid),
  size: v.optional(diskSize),
  'sector-size': v.optional(sectorSize),
  architecture,
  defer: v.optional(v.array(v.string()), []),
  split: switchOff,
  format: v.optional(v.string()),
  certificate: v.optional(path),
  'private-key': v.optional(path),
  'allow-insecure-key': switchOff,
  'efi-vars': v.optional(path),
  firmware: v.optional(path),
  keys: v.optional(path),
};
const jobSchema = v.strictObject(job);
export type JobFlags = v.InferOutput<typeof jobSchema>;

export const buildSchema = v.strictObject({
  ...job,
  output,
  force: switchOff,
  'dry-run': switchOff,
});

export type BuildFlags = v.InferOutput<typeof buildSchema>;

export const finishSchema = v.strictObject({
  ...job,
  description: v.optional(path),
  output,
  force: switchOff,
  'uki-path': v.optional(
    v.pipe(v.string(), v.startsWith('/', 'expected a path of the ESP, as /EFI/Linux/a.efi')),
  ),
});
