/** The source files of generations, outside the ESP, and their digests. */

import type { Context } from '../context.ts';
import type { Digest } from '../digest.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { Disk, FileStat } from '../disk/disk.ts';
import { type HashOptions, hashFiles } from '../disk/hash-files.ts';
import { EspError } from '../error.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation } from '../generation/generation.ts';
import type { SecretInitrd } from '../generation/initrd-secrets.ts';
import type { Payload } from '../plan/wanted.ts';
import type { Signer, ToSign } from '../signer/signer.ts';

/** A generation or one of its specialisations. */
export interface Variant {
  readonly generation: Generation;
  readonly specialisation?: string;
  readonly bootspec: Bootspec;
}

/** Returns a generation itself, then its specialisations. */
export function variants(generation: Generation): Variant[] {
  const { bootspec } = generation;
  const children = [...bootspec.specialisations].map(([specialisation, child]) => ({
    generation,
    specialisation,
    bootspec: child,
  }));
  return [{ generation, bootspec }, ...children];
}

/** Private copies of initrds with secrets, by the bootspec that requires them. */
export type Secrets = ReadonlyMap<Bootspec, SecretInitrd>;

/** A file as it was when its digest was computed. */
export interface Hashed {
  readonly stat: FileStat;
  readonly digest: Digest;
}

/** The cache key for the digest of a file's plain bytes. */
const PLAIN = 'file';

/** The cache key for the digest of a file with this signer's signature. */
const signedKey = ({ fingerprint }: Signer): string => `signed:${fingerprint}`;

/**
 * Finds the digest of every file that the generations need, once each, in the cache if possible. It
 * leaves out an unreadable file, which costs only the generations that need it.
 */
export function takeDigests(
  generations: readonly Generation[],
  secrets: Secrets,
  context: Context,
  cache: DigestCache,
): Promise<ReadonlyMap<string, Hashed>> {
  const private_ = new Set([...secrets.values()].map(({ path }) => path));
  return digestsOf(filesOf(generations, secrets), private_, context, cache);
}

/** Tells whoever waits that files are read, and returns what tells how much of them is. */
function reading(
  files: readonly { readonly size: number }[],
  progress: Context['progress'],
): Pick<HashOptions, 'onRead'> {
  if (progress === undefined || files.length === 0) return {};
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  progress.begin('reading generations', { bytes, files: files.length });
  return { onRead: progress.advance };
}

/** Finds the digests of files. It does not cache private files, and leaves out unreadable ones. */
export async function digestsOf(
  paths: ReadonlySet<string>,
  private_: ReadonlySet<string>,
  { disk, machine, progress }: Context,
  cache: DigestCache,
): Promise<ReadonlyMap<string, Hashed>> {
  const known = new Map<string, Hashed>();
  const unknown = new Map<string, FileStat>();
  for (const path of paths) {
    const stat = disk.stat(path);
    const digest = stat && !private_.has(path) ? cache.get(PLAIN, path, stat) : undefined;
    if (stat && digest) known.set(path, { stat, digest });
    else if (stat) unknown.set(path, stat);
  }
  const files = [...unknown].map(([path, { size }]) => ({ path, size }));
  const hashed = await hashFiles(files, disk, {
    ...{ machine, onUnreadable: () => undefined },
    ...reading(files, progress),
  });
  for (const [path, stat] of unknown) {
    const digest = hashed.get(path);
    if (digest) known.set(path, { stat, digest });
    if (digest && !private_.has(path)) cache.put(PLAIN, path, stat, digest);
  }
  return known;
}

function filesOf(generations: readonly Generation[], secrets: Secrets): ReadonlySet<string> {
  const paths = generations.flatMap(variants).flatMap(({ bootspec }) => {
    const { kernel, initrd, devicetree } = bootspec;
    return [kernel, secrets.get(bootspec)?.path ?? initrd, devicetree];
  });
  return new Set(paths.filter((path) => path !== undefined));
}

/**
 * Returns a program with our signature added, such as the kernel of a Type #1 entry, which firmware
 * checks on its own. The digest of the signed file then counts on the ESP.
 */
export async function signedProgram(
  program: Payload,
  stat: FileStat,
  signer: Signer,
  { disk }: Context,
  cache: DigestCache,
): Promise<Payload> {
  const { describeSigned } = await import('../recipe/recipe.ts');
  const key = signedKey(signer);
  const { path } = program;
  const known = cache.get(key, path, stat);
  if (!known && signer.onlyAsks) return awaiting(program, signer, disk);
  const { digest, size } = await describeSigned(path, disk, signer, known);
  if (!known) cache.put(key, path, stat, digest);
  return { path, size, digest, signed: true };
}

/** Returns a program that nobody signed yet. Until then it has the digest of the unsigned file. */
async function awaiting(program: Payload, signer: Signer, disk: Disk): Promise<Payload> {
  const { signedSize } = await import('../recipe/recipe.ts');
  return { ...program, size: signedSize(program.path, disk, signer), signed: true };
}

/**
 * Has the kernels signed whose signed digests are unknown, together with the loader: where a person
 * has to be asked for signatures, this asks once.
 * @throws {SIGNER_FAILED} {SIGNATURE_MISSING}
 */
export async function prepareKernels(
  generations: readonly Generation[],
  payloads: ReadonlyMap<string, Hashed>,
  { signer, loader }: { readonly signer: Signer; readonly loader: string },
  context: Context,
  cache: DigestCache,
): Promise<void> {
  const kernels = new Set(generations.flatMap(variants).map(({ bootspec }) => bootspec.kernel));
  await prepareSigned(kernels, [loader], payloads, { signer, context, cache });
}

/**
 * Has the programs signed, all at once, whose signed digests are unknown.
 * @param likely programs that the run may want later
 * @throws {SIGNER_FAILED} {SIGNATURE_MISSING}
 */
export async function prepareSigned(
  programs: Iterable<string>,
  likely: readonly string[],
  payloads: ReadonlyMap<string, Hashed>,
  { signer, context: { disk }, cache }: Preparing,
): Promise<void> {
  if (!signer.prepare) return;
  const unknown = [...programs].filter((path) => {
    const stat = payloads.get(path)?.stat;
    return stat !== undefined && cache.get(signedKey(signer), path, stat) === undefined;
  });
  if (unknown.length === 0) return;
  signer.prepare(await toSign(unknown, disk), await toSign(likely, disk));
}

/** What preparing payloads needs. */
export interface Preparing {
  readonly signer: Signer;
  readonly context: Context;
  readonly cache: DigestCache;
}

/**
 * Leaves out files that are no programs. Their users report them: a broken kernel costs its
 * generations.
 */
async function toSign(paths: readonly string[], disk: Disk): Promise<readonly ToSign[]> {
  const { imageDigest } = await import('../recipe/to-sign.ts');
  const programs: ToSign[] = [];
  for (const path of paths) {
    try {
      const content = { kind: 'signed', path } as const;
      programs.push({ name: path, imageDigest: await imageDigest(content, disk) });
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
    }
  }
  return programs;
}
