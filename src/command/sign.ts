/** `sign`: signs EFI programs of others, where they lie or to another file. */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { targetsOf } from '../esp/untrusted-source.ts';
import { misuse } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';
import { carryOut, realFile, type Task, taskFor } from '../signing/task.ts';
import { signerOf } from '../survey/signer-of.ts';

const VERB = 'sign';

/**
 * Signs each program, or leaves it as it is when it has our signature; or signs what a machine without
 * a key asks for. Nothing is written unless all of it can be signed.
 * @throws {PE_MALFORMED} {SIGNATURE_MALFORMED} when a file is no program that can be signed
 * @throws {KEY_INVALID} {KEY_INSECURE} as for the signing of images
 */
export async function sign(
  { operands, flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const { output, request, ...others } = flags;
  if ((operands.length === 0) === (request === undefined)) {
    throw misuse('expected one or more FILE, or --request', VERB);
  }
  const settings = await readSettings(others, environment, disk);
  const loaded = await signerOf(settings, context);
  if (loaded === undefined) {
    throw misuse('expected --certificate and --private-key, or both in the configuration', VERB);
  }
  const { signer, warnings } = loaded;
  if (typeof request === 'string') {
    const { answerRequest } = await import('./signing-request.ts');
    const answer = answerRequest(resolve(request), signer, disk);
    if (typeof output === 'string') await disk.replaceText(resolve(output), answer);
    else print(answer.trimEnd());
    return tell(warnings, verbosity);
  }
  const files = [...new Set(operands.map((file) => realFile(file, disk)))];
  if (output !== undefined && files.length > 1) {
    throw misuse(`--output: expected one FILE, got ${files.length}`, VERB);
  }
  const target = typeof output === 'string' ? resolve(output) : undefined;
  const tasks = files.map((file) =>
    taskFor(file, target ?? file, { signer, targets: targetsOf(settings) }, disk),
  );
  await carryOut(tasks, signer, context);
  print(json ? toDocument(tasks, signer) : tasks.map(render).join('\n'));
  return tell(warnings, verbosity);
}

async function tell(warnings: readonly string[], verbosity: number): Promise<number> {
  if (warnings.length > 0) {
    const log = (await import('../voice/log.ts')).openLog(verbosity);
    for (const warning of warnings) log.warn(warning);
  }
  return 0;
}

function toDocument(tasks: readonly Task[], { fingerprint }: Signer): string {
  const files = tasks.map(({ file, output, isDone }) => ({ file, output, signed: !isDone }));
  const document = { version: 1, verb: VERB, certificate: fingerprint, files };
  return JSON.stringify(document, undefined, 2);
}

function render({ output, isDone }: Task): string {
  return `${output}: ${isDone ? 'is signed, nothing to do' : 'signed'}`;
}
