/** `image efi-vars`: makes the file of EFI variables with which a virtual machine boots an image. */
import { resolve } from 'node:path';
import * as v from 'valibot';
import type { Context } from '../context.ts';
import { makeVariableFile } from '../image/make-variable-file.ts';
import { claimOutput } from '../image/output.ts';
import { misuse, readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { flag, path } from '../settings/value-schemas.ts';

const VERB = 'image efi-vars';

const paths = v.optional(v.array(path), []);
const schema = v.strictObject({
  output: v.optional(path),
  force: v.optional(flag, false),
  keys: v.optional(path),
  microsoft: paths,
  certificates: paths,
  dbx: v.optional(path),
  image: v.optional(path),
  boot: v.optional(v.array(v.string()), []),
});

/**
 * Makes a file of EFI variables from a firmware's template.
 * @throws {IMAGE_EXISTS} when the output is there, without `--force`
 */
export async function imageEfiVars(
  { operands: [template = ''], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { output, force, ...wishes } = readFlags(schema, flags, VERB);
  if (output === undefined) throw misuse('expected --output, got none', VERB);
  if (wishes.boot.length > 0 && wishes.image === undefined) {
    throw misuse('--boot: expected --image, whose ESP has the program', VERB);
  }
  if (wishes.keys === undefined && wishes.microsoft.length + wishes.certificates.length > 0) {
    throw misuse('expected --keys: firmware with other certificates alone belongs to nobody', VERB);
  }
  using _claim = await claimOutput(output, { verb: VERB, isForced: force }, context);
  const sources = { ...wishes, template: resolve(template), output, time: 0 };
  const { enrolled, boot } = await makeVariableFile(sources, context);
  const started = boot.map(({ path: program }) => program);
  context.print(
    json
      ? JSON.stringify({ version: 1, verb: VERB, output, enrolled, boot: started }, undefined, 2)
      : [
          `${output}: ${enrolled ? 'Secure Boot with your keys from the first start' : 'keys as in the template'}`,
          ...started.map((program) => `starts ${program}`),
        ].join('\n'),
  );
  return 0;
}
