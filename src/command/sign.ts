/** `sign`: signs foreign EFI programs, in place or to another file. */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { targetsOf } from '../esp/untrusted-source.ts';
import { misuse } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings, type Settings } from '../settings/settings.ts';
import { asksForPolicies } from '../signer/policy-document.ts';
import type { Signer } from '../signer/signer.ts';
import { isBareKernel } from '../signing/bare-kernel.ts';
import { carryOut, realFile, type Task, taskFor } from '../signing/task.ts';
import { signerOf } from '../survey/signer-of.ts';
import { requireOther } from './other-file.ts';
import { bareKernel } from './request-review.ts';

const VERB = 'sign';

/**
 * Signs each program, and skips one that has our signature already. With `--request` it signs what
 * a machine without a key asks for. It writes nothing unless it can sign everything.
 * @throws {PE_MALFORMED} {SIGNATURE_MALFORMED} when a file is no program that it can sign
 * @throws {KEY_INVALID} {KEY_INSECURE} as for the signing of images
 */
export async function sign(
  { operands, flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, environment, print } = context;
  const { output, request, only, against, yes, 'sign-kernels': signsKernels, ...others } = flags;
  const signKernels = signsKernels === true;
  if ((operands.length === 0) === (request === undefined)) {
    throw misuse('expected one or more FILE, or --request', VERB);
  }
  const settings = await readSettings(others, environment, disk);
  // Standard output may be the answer itself.
  const show = (line: string) => void process.stderr.write(verbosity < 0 ? '' : `${line}\n`);
  const asks = yes !== true;
  const hand = async (answer: string) => {
    if (typeof output === 'string') await disk.replaceText(resolve(output), answer);
    else print(answer.trimEnd());
  };
  if (typeof request === 'string' && asksForPolicies(resolve(request), disk)) {
    const { answerPolicies } = await import('./policy-signing.ts');
    await hand(await answerPolicies(resolve(request), settings, { show, asks }, context));
    return 0;
  }
  requireNoKey(output, settings, context);
  const loaded = await signerOf(settings, context);
  if (loaded === undefined) {
    throw misuse('expected --certificate and --private-key, or both in the configuration', VERB);
  }
  const { signer, warnings } = loaded;
  if (typeof request === 'string') {
    const { answerRequest } = await import('./signing-request.ts');
    const review = {
      only: Array.isArray(only) ? only : [],
      against: typeof against === 'string' ? resolve(against) : undefined,
      ...{ signKernels, asks, show },
    };
    await hand(await answerRequest(resolve(request), signer, review, disk));
    return tell(warnings, verbosity);
  }
  const files = [...new Set(operands.map((file) => realFile(file, disk)))];
  if (output !== undefined && files.length > 1) {
    throw misuse(`--output: expected one FILE, got ${files.length}`, VERB);
  }
  const target = typeof output === 'string' ? resolve(output) : undefined;
  if (!signKernels) requireNoKernel(files, disk);
  const tasks = files.map((file) =>
    taskFor(file, target ?? file, { signer, targets: targetsOf(settings) }, disk),
  );
  await carryOut(tasks, signer, context);
  print(json ? toDocument(tasks, signer) : tasks.map(renderTask).join('\n'));
  return tell(warnings, verbosity);
}

/** What is signed must not take the place of the key. @throws {CONFIG_INVALID} */
function requireNoKey(output: unknown, settings: Settings, context: Context): void {
  const keys = [settings.certificate, settings['private-key']].filter((key) => key !== undefined);
  if (typeof output === 'string') requireOther('--output', resolve(output), keys, context);
}

/** A signed bare kernel starts whatever it is given. @throws {CONFIG_INVALID} naming the kernel */
function requireNoKernel(files: readonly string[], disk: Context['disk']): void {
  for (const path of files) {
    using file = disk.open(path);
    if (isBareKernel(file)) throw bareKernel(path);
  }
}

async function tell(warnings: readonly string[], verbosity: number): Promise<number> {
  if (warnings.length > 0) {
    const log = (await import('../terminal/log.ts')).openLog(verbosity);
    for (const warning of warnings) log.warn(warning);
  }
  return 0;
}

function toDocument(tasks: readonly Task[], { fingerprint }: Signer): string {
  const files = tasks.map(({ file, output, isDone }) => ({ file, output, signed: !isDone }));
  const document = { version: 1, verb: VERB, certificate: fingerprint, files };
  return JSON.stringify(document, undefined, 2);
}

function renderTask({ output, isDone }: Task): string {
  return `${output}: ${isDone ? 'is signed, nothing to do' : 'signed'}`;
}
