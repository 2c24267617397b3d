/**
 * Finds everything about a generation or specialisation that must be read or hashed for its entry.
 */

import type { Context } from '../context.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { SecretInitrd } from '../generation/initrd-secrets.ts';
import { modulesRelease } from '../generation/modules.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { Payload, Resolved } from '../plan/wanted.ts';
import { formatCmdline } from '../uki/cmdline.ts';
import { requireDevicetree } from '../uki/devicetree.ts';
import {
  type KernelTraits,
  kernelTraits,
  requireCmdlineFits,
  requireStarts,
} from '../uki/kernel.ts';
import { type EntryPolicy, signsKernels } from './entry-maker.ts';
import { type Hashed, signedProgram, type Variant } from './payload.ts';

/** What making the entries of a run needs. */
export interface Making {
  readonly policy: EntryPolicy;
  readonly context: Context;
  readonly cache: DigestCache;
  readonly secrets: Map<Bootspec, SecretInitrd>;
  /** What is known of kernels that were read, by their paths. */
  readonly kernels: Map<string, KernelTraits>;
}

/** Returns the parts of a generation's or specialisation's entry. */
export async function describeVariant(
  variant: Variant,
  payloads: ReadonlyMap<string, Hashed>,
  making: Making,
): Promise<Resolved> {
  const { secrets, policy, context } = making;
  const { bootspec } = variant;
  const extraInitrds = extraInitrdsOf(bootspec, policy.extras);
  const payload = (path: string): Payload => {
    const { stat, digest } = find(path, payloads);
    return { path, size: stat.size, digest };
  };
  const initrd = secrets.get(bootspec)?.path ?? bootspec.initrd;
  const hashed = find(bootspec.kernel, payloads);
  const { name, format } = policy.chosenFormat;
  if (!format.takesEspInitrds) requireOwnInitrd(bootspec, name);
  if (bootspec.devicetree !== undefined) lookAtDevicetree(bootspec.devicetree, payloads, making);
  const kernel = await kernelPayload(payload(bootspec.kernel), hashed, making);
  const release = releaseOf(bootspec, hashed, making);
  const uname = format.tellsRelease
    ? (release ?? modulesRelease(context.disk, bootspec.toplevel))
    : undefined;
  return {
    ...variant,
    kernel,
    ...(initrd === undefined ? {} : { initrd: payload(initrd) }),
    ...(bootspec.devicetree === undefined ? {} : { devicetree: payload(bootspec.devicetree) }),
    ...(extraInitrds.length > 0 ? { extraInitrds } : {}),
    ...(uname === undefined ? {} : { uname }),
  };
}

function find(path: string, payloads: ReadonlyMap<string, Hashed>): Hashed {
  const found = payloads.get(path);
  if (!found) throw new EspError('GENERATION_BROKEN', `${path}: cannot be read`);
  return found;
}

/** Returns the kernel unchanged, or signed where firmware checks it on its own. */
function kernelPayload(
  plain: Payload,
  { stat }: Hashed,
  { policy, context, cache }: Making,
): Payload | Promise<Payload> {
  return signsKernels(policy) ? signedProgram(plain, stat, policy.signer, context, cache) : plain;
}

/**
 * Returns the release of a kernel, where it had to be read. That a kernel is an EFI program for this
 * processor is enough to know, once, unless its entry tells the release or has a long command line.
 * @throws {GENERATION_BROKEN} when firmware would not start the kernel, or the kernel would cut the command line
 */
function releaseOf(
  bootspec: Bootspec,
  { stat, digest }: Hashed,
  { policy, context: { disk }, cache, kernels }: Making,
): string | undefined {
  const path = bootspec.kernel;
  const { machine } = policy.architecture;
  const key = `efi-application-${machine.toString(16)}`;
  const added = policy.chosenFormat.format.takesAddons ? policy.settings.addons : {};
  const own = lengthOf(formatCmdline(bootspec.init, bootspec.kernelParams));
  const isKnown = cache.get(key, path, stat) !== undefined;
  if (
    isKnown &&
    own + lengthAdded(added) <= SHORT_CMDLINE &&
    !policy.chosenFormat.format.tellsRelease
  )
    return undefined;
  const traits = kernels.get(path) ?? readTraits(path, disk);
  kernels.set(path, traits);
  requireStarts(traits, machine, path);
  const { cmdlineLimit, release } = traits;
  requireCmdlineFits({ own, added: lengthAdded(added, release) }, cmdlineLimit, path);
  if (!isKnown) cache.put(key, path, stat, digest);
  return traits.release;
}

/**
 * Makes sure that a system's kernel starts by itself.
 * @throws {PE_MALFORMED} {GENERATION_BROKEN} when a processor of this machine number does not start it, or it would cut the command line
 */
export function requireKernel(
  { kernel, init, kernelParams }: Bootspec,
  machine: number,
  disk: Pick<Disk, 'open'>,
): void {
  const traits = readTraits(kernel, disk);
  requireStarts(traits, machine, kernel);
  const own = lengthOf(formatCmdline(init, kernelParams));
  requireCmdlineFits({ own, added: 0 }, traits.cmdlineLimit, kernel);
}

function readTraits(path: string, disk: Pick<Disk, 'open'>): KernelTraits {
  using source = disk.open(path);
  return kernelTraits(source, path);
}

type Addons = EntryPolicy['settings']['addons'];

/** Every kernel takes a command line of so many bytes. */
const SHORT_CMDLINE = 1023;

function lengthOf(cmdline: string): number {
  return new TextEncoder().encode(cmdline).length;
}

/**
 * Returns how many bytes addons of the settings add to each command line.
 * @param release leaves out addons of other kernels, where it is known
 */
function lengthAdded(addons: Addons, release?: string): number {
  return Object.values(addons)
    .filter(({ uname }) => !uname || !release || uname === release)
    .reduce((sum, { cmdline }) => sum + (cmdline ? lengthOf(` ${cmdline}`) : 0), 0);
}

/** What is no device tree is told by the few bytes at its start, once. */
function lookAtDevicetree(
  path: string,
  payloads: ReadonlyMap<string, Hashed>,
  { context: { disk }, cache }: Making,
): void {
  const { stat, digest } = find(path, payloads);
  if (cache.get(DEVICETREE, path, stat) !== undefined) return;
  using source = disk.open(path);
  requireDevicetree(source, path);
  cache.put(DEVICETREE, path, stat, digest);
}

const DEVICETREE = 'devicetree';

/** Takes a declared file from its source, and not from the ESP. */
function extraInitrdsOf(
  { extraInitrds = [] }: Bootspec,
  extras: readonly DeclaredExtra[],
): readonly (Payload | EspPath)[] {
  return extraInitrds.map((name) => {
    const found = extras.find(({ path }) => path.toLowerCase() === name.toLowerCase());
    if (found?.content.kind !== 'file') return espPath(name);
    const { content, size, digest } = found;
    return { path: content.path, size, digest };
  });
}

/**
 * Refuses an initrd on the ESP: an image is signed with all its parts, and no file of an ESP is
 * signed.
 */
function requireOwnInitrd({ extraInitrds: [first] = [] }: Bootspec, format: string): void {
  if (first === undefined) return;
  throw new EspError(
    'GENERATION_BROKEN',
    `its initrd is followed by ${first} from the ESP, which no entry of the format ${format} can have`,
    { hint: 'use --format type1, or put what that file holds into the initrd' },
  );
}
