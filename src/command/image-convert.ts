/** `image convert`: writes the disk of an image in another format. */
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { Context } from '../context.ts';
import { EspError, EXIT_WARNINGS } from '../error.ts';
import { outputForm, writeOutput } from '../image/convert-image.ts';
import { openImage } from '../image/opened-image.ts';
import { claimOutput } from '../image/output.ts';
import { formatSize } from '../quantity.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { flag } from '../settings/value-schemas.ts';

const VERB = 'image convert';

const schema = v.strictObject({
  format: v.optional(v.string()),
  force: v.optional(flag, false),
});

/**
 * Writes the disk that is in IMAGE to OUTPUT.
 * @throws {DISK_IMAGE_MALFORMED} when IMAGE is damaged, or of a format that is not read
 * @throws {IMAGE_EXISTS} when OUTPUT is there, without `--force`
 */
export async function imageConvert(
  { operands: [image = '', output = ''], flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { format, force } = readFlags(schema, flags, VERB);
  const path = resolve(output);
  const form = outputForm(format, path, context);
  const there = context.disk.realPath(path);
  if (there !== undefined && there === context.disk.realPath(image)) {
    throw new EspError('CONFIG_INVALID', `${output}: it is the image that is read`);
  }
  using _claim = await claimOutput(path, { verb: VERB, isForced: force }, context);
  using opened = await openImage(image, context);
  const read = opened.disk;
  await writeOutput(read, path, form, context);
  const size = context.disk.stat(path)?.size ?? 0;
  const warning = form.warningFor(read.size);
  const told = { from: read.format, to: form.name, output, diskSize: read.size, size };
  context.print(
    json
      ? JSON.stringify(
          { version: 1, verb: VERB, ...told, ...(warning && { warnings: [warning] }) },
          undefined,
          2,
        )
      : `${output}: ${form.name}, ${formatSize(size)}, a disk of ${formatSize(read.size)}`,
  );
  if (warning === undefined) return 0;
  (await import('../terminal/log.ts')).openLog(verbosity).warn(warning);
  return EXIT_WARNINGS;
}
