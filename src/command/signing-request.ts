/** Signing on another machine: `plan --signing-request` asks, `sign --request` answers. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import { digestBytes, digestOf } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError, EXIT_WARNINGS } from '../error.ts';
import type { InitrdSecrets } from '../generation/initrd-secrets.ts';
import type { Outcome } from '../pass/outcome.ts';
import { pass } from '../pass/pass.ts';
import { isImage } from '../plan/step.ts';
import { signedSize } from '../recipe/recipe.ts';
import { programsToSign, type SignedProgram } from '../recipe/to-sign.ts';
import { misuse } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { readSettings } from '../settings/settings.ts';
import { bareSignature } from '../signer/cms-verification.ts';
import { type Asking, loadAskingSigner } from '../signer/delivered-signer.ts';
import type { Signer } from '../signer/signer.ts';
import {
  formatSignatures,
  formatSigningRequest,
  type RequestedProgram,
  readSigningRequest,
} from '../signer/signing-document.ts';
import { extraPrograms } from '../signing/extra.ts';
import type { Task } from '../signing/task.ts';
import type { Survey } from '../survey/surveyed.ts';
import { openSurveyor } from '../survey/surveyor.ts';
import { openLog } from '../terminal/log.ts';
import { groundFor } from '../volumes/image-targets.ts';
import { findTargets } from '../volumes/volumes.ts';
import { describeRequest, type Review, requireConsent, reviewRequest } from './request-review.ts';

/** A program as a request names it, before its digest to sign is computed. */
type Wish = Omit<RequestedProgram, 'digest'>;

/**
 * Finds out which programs `install` would sign, and writes them down. It needs only the
 * certificate, and leaves the ESPs as they are.
 * @throws {CONFIG_INVALID} when the settings name no certificate
 */
export async function planRequest(
  { operands: [toplevel], flags, json, verbosity }: Invocation,
  given: Context,
): Promise<number> {
  const { disk, environment, print, now } = given;
  const { 'signing-request': file, ...others } = flags;
  using ground = await groundFor(await readSettings(others, environment, disk), given);
  const { settings } = ground;
  const context = { ...ground.context, runSecrets: given.runSecrets ?? notRun };
  const request = resolve(String(file));
  const { certificate, 'pcr-public-key': policyKey } = settings;
  if ((certificate ?? policyKey) === undefined) throw misuse('expected --certificate', 'plan');
  const asking = certificate && loadAskingSigner(certificate, disk, now);
  using surveyor = await openSurveyor(settings, toplevel, context, asking || undefined);
  if (await asksForPolicies(surveyor.known(), request, json, context)) return 0;
  if (!asking) throw misuse('expected --certificate', 'plan');
  const roots = findTargets(settings, context);
  const outcomes = await pass(roots, surveyor, {
    verb: 'plan',
    context,
    log: async () => openLog(verbosity),
    tellsChanges: false,
    lockTimeout: settings['lock-timeout'],
  });
  const [primary, ...mirrors] = outcomes;
  if (primary?.failure) throw primary.failure;
  const extra = extraPrograms(settings, asking.signer, context);
  const wishes = [
    ...(await wishesOf(asking, outcomes, disk)),
    ...extra.tasks.flatMap((task) => extraWish(task, asking.signer, disk)),
  ];
  const origin = { machine: hostname(), since: new Date(now * 1000).toISOString() };
  const text = formatSigningRequest(asking.signer.fingerprint, wishes, origin);
  await disk.replaceText(request, text, 'everyone');
  if (json) print(JSON.stringify({ version: 1, verb: 'plan', request, programs: wishes }, null, 2));
  else print(renderRequest(request, wishes));
  const troubles = [
    ...extra.warnings,
    ...outcomes.flatMap(({ warnings }) => warnings),
    ...mirrors.flatMap(({ root, failure }) => (failure ? [`${root}: ${failure.message}`] : [])),
  ];
  const log = openLog(verbosity);
  for (const trouble of new Set(troubles)) log.warn(trouble);
  return troubles.length > 0 ? EXIT_WARNINGS : 0;
}

/** An image has a digest only when its policies are signed, so those are asked for first. */
async function asksForPolicies(
  { policies }: Survey,
  request: string,
  json: boolean,
  context: Context,
): Promise<boolean> {
  if (policies === undefined || policies.unsigned.length === 0) return false;
  const { requestPolicies } = await import('./policy-signing.ts');
  await requestPolicies(policies, request, json, context);
  return true;
}

/** What is to be signed without its secrets would be another image. */
async function notRun({ program }: InitrdSecrets): Promise<never> {
  throw new EspError('INITRD_SECRETS_FAILED', `initrd secrets program ${program} is not run`, {
    hint: 'give --run-secrets: what is to be signed is known only with them',
  });
}

/**
 * Returns every program once, by the file that is signed. A kernel's name follows from its
 * signature.
 */
async function wishesOf(
  { asked, signer }: Asking,
  outcomes: readonly Outcome[],
  disk: Disk,
): Promise<readonly Wish[]> {
  const unnamed = new Map(asked.map((program) => [digestOf(program.imageDigest), program]));
  const plans = outcomes.flatMap(({ plan }) => (plan ? [plan] : []));
  const planned: Wish[] = [];
  for (const plan of plans) planned.push(...(await programsToSign(plan, disk)).map(wishFor));
  const wishes = [
    ...planned.map((wish) =>
      wish.what === 'kernel' && unnamed.has(wish.image) ? { ...wish, path: null } : wish,
    ),
    // Whether a kernel is left out in the end is known only once it is signed, so it is requested
    // too.
    ...[...unnamed].map(([image, { name: source }]): Wish => {
      const size = signedSize(source, disk, signer);
      return { what: 'kernel', path: null, source, size, image };
    }),
  ];
  // Of several wishes for one program the first counts: the plan's own wish says where it goes.
  return [...Map.groupBy(wishes, ({ image }) => image).values()].flatMap(([first]) => first ?? []);
}

function wishFor({ name: path, imageDigest, content, size }: SignedProgram): Wish {
  const image = digestOf(imageDigest);
  if (isImage(content)) return { what: content.kind, path, size, image };
  const what = SIGNED.find(([, names]) => names.test(path))?.[0] ?? 'program';
  return { what, path, source: content.path, size, image };
}

function extraWish(task: Task, signer: Signer, disk: Disk): readonly Wish[] {
  const { file: source, output: path, imageDigest, isSigned } = task;
  if (isSigned) return [];
  const size = signedSize(source, disk, signer);
  return [{ what: 'program', path, source, size, image: digestOf(imageDigest) }];
}

/**
 * Programs that are signed as they are, by path on the ESP. Kernels lie in a directory of any name.
 */
const SIGNED = [
  ['loader', /^EFI\/(systemd|BOOT)\/[^/]*$/],
  ['kernel', /\/kernel-[^/]*$/],
] as const;

function renderRequest(request: string, wishes: readonly Wish[]): string {
  return [
    ...wishes.map(({ what, path, source }) => `  ${what} ${path ?? source}`),
    `${request}: ${wishes.length} programs to be signed`,
  ].join('\n');
}

/**
 * Returns a document with the signatures that a request asks for.
 * @throws {KEY_INVALID} when the file is no request, or asks for another certificate
 * @throws {SIGNER_FAILED}
 */
export async function answerRequest(
  path: string,
  signer: Signer,
  review: Review & { readonly show: (line: string) => void; readonly asks: boolean },
  disk: Disk,
): Promise<string> {
  const request = readSigningRequest(path, disk);
  const { certificate } = request;
  if (certificate !== signer.fingerprint) {
    throw new EspError(
      'KEY_INVALID',
      `${path}: asks for certificate ${certificate}, and this one is ${signer.fingerprint}`,
      { hint: 'give the certificate and the key that the other machine installs with' },
    );
  }
  const programs = reviewRequest(request, review, disk);
  for (const line of describeRequest(request, programs)) review.show(line);
  if (review.asks) await requireConsent(programs.length);
  signer.prepare?.(
    programs.map(({ path: to, source, what, image }) => ({
      name: to ?? source ?? what,
      imageDigest: digestBytes(image),
    })),
  );
  const signatures = programs.map(({ image, digest }) => ({
    digest,
    signature: Buffer.from(bare(digestBytes(image), signer)).toString('base64'),
  }));
  return formatSignatures(certificate, signatures);
}

function bare(imageDigest: Uint8Array, signer: Signer): Uint8Array {
  const signature = bareSignature(signer.sign(imageDigest) ?? new Uint8Array());
  if (signature !== undefined) return signature;
  throw new EspError('SIGNER_FAILED', 'signature: made none', {
    hint: 'look at what the signing command prints and at its exit status',
  });
}
