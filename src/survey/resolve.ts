/**
 * Turns generations into what they want on an ESP: appends secrets, hashes payloads, gives names.
 */

import { type Context, isElsewhere } from '../context.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation, Malformed } from '../generation/generation.ts';
import type { SecretInitrd } from '../generation/initrd-secrets.ts';
import { generationName, type Resolved, type WantedGeneration } from '../plan/wanted.ts';
import { counted } from '../quantity.ts';
import { sourceCheck } from './bootspec-sources.ts';
import { describeVariant, type Making } from './describe.ts';
import { type EntryPolicy, entryMaker, imagesOf, signsKernels } from './entry-maker.ts';
import { initrdWarnings } from './initrd-check.ts';
import { type Hashed, prepareKernels, takeDigests, type Variant, variants } from './payload.ts';
import { settleFormat } from './settled-format.ts';
import type { ChosenFormat } from './stub.ts';

/** The result for the generations. */
export interface Resolution {
  readonly wanted: readonly WantedGeneration[];
  /** The format that they have. */
  readonly format: ChosenFormat;
  /** Generations that turned out not to be installable. */
  readonly broken: readonly Malformed[];
  /** Warnings about systems that may not boot although every file exists. */
  readonly warnings: readonly string[];
  /** What is as it should be here, and costs something elsewhere. */
  readonly cautions: readonly string[];
  /** Sources, as they were when their digests were computed. */
  readonly sources: ReadonlyMap<string, FileStat>;
  /** Removes the private copies of initrds with secrets. */
  readonly dispose: () => void;
}

/** Resolves generations one by one. A fault in one does not stop the others. */
export async function resolve(
  generations: readonly Generation[],
  policy: EntryPolicy,
  context: Context,
  cache: DigestCache,
): Promise<Resolution> {
  const images = imagesOf(policy, context);
  const secrets = new Map<Bootspec, SecretInitrd>();
  const making = { policy, context, cache, secrets, kernels: new Map() };
  const dispose = () => {
    for (const secret of secrets.values()) secret.remove();
  };
  try {
    const bootspecs = generations.flatMap(variants).map(({ bootspec }) => bootspec);
    const requireSources = sourceCheck(bootspecs, policy, context);
    const prepared = await separate(generations, (generation) => {
      for (const { bootspec } of variants(generation)) requireSources(generation, bootspec);
      return addSecrets(generation, making);
    });
    const payloads = await takeDigests(prepared.passed, secrets, context, cache);
    if (signsKernels(policy)) {
      await prepareKernels(prepared.passed, payloads, policy, context, cache);
    }
    const warnings = context.runSecrets ? [] : unknownSecrets(prepared.passed);
    const described = await separate(prepared.passed, async (generation) => {
      const tell = (text: string) =>
        warnings.push(`generation ${generationName(generation)}: ${text}`);
      return { generation, parts: await describe(generation, { payloads, making, tell }) };
    });
    const parts = new Map(
      described.passed.map(({ generation, ...each }) => [generation, each.parts]),
    );
    const settled = settleFormat(policy, [...parts.values()].flat(), images);
    const want = entryMaker(settled, images);
    const made = await separate([...parts.keys()], async (generation) => ({
      name: generationName(generation),
      number: generation.number,
      ...(generation.release === undefined ? {} : { release: generation.release }),
      entries: (parts.get(generation) ?? []).map(want),
    }));
    const { policies } = settled;
    return {
      wanted: policies ? await policies.authorise(made.passed) : made.passed,
      format: settled.chosenFormat,
      broken: [...prepared.broken, ...described.broken, ...made.broken],
      warnings,
      cautions: unsteady([...secrets.values()]),
      sources: new Map([...payloads].map(([path, { stat }]) => [path, stat])),
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Describes generations by their hashed payloads. `tell` gets warnings about systems that may not boot. */
interface Work {
  readonly payloads: ReadonlyMap<string, Hashed>;
  readonly making: Making;
  readonly tell: (text: string) => void;
}

async function describe(
  generation: Generation,
  { payloads, making, tell }: Work,
): Promise<readonly Resolved[]> {
  const parts: Resolved[] = [];
  for (const variant of variants(generation)) {
    const troubles = await troublesOf(variant, payloads, making);
    troubles.forEach(tell);
    parts.push(await describeVariant(variant, payloads, making));
  }
  return parts;
}

async function addSecrets(
  generation: Generation,
  { context, secrets }: Making,
): Promise<Generation> {
  for (const { bootspec } of variants(generation)) {
    const secret = await appendSecrets(bootspec, context);
    if (secret) secrets.set(bootspec, secret);
  }
  return generation;
}

/** Returns what may keep a system from booting although every file exists. */
function troublesOf(
  { bootspec }: Variant,
  payloads: ReadonlyMap<string, Hashed>,
  { context, cache }: Making,
): Promise<readonly string[]> {
  const known = bootspec.initrd === undefined ? undefined : payloads.get(bootspec.initrd);
  return initrdWarnings(bootspec, known, context, cache);
}

/** Does work for each generation, and separates those for which it fails. */
async function separate<T>(
  generations: readonly Generation[],
  work: (generation: Generation) => Promise<T>,
): Promise<{ passed: T[]; broken: Malformed[] }> {
  const passed: T[] = [];
  const broken: Malformed[] = [];
  for (const generation of generations) {
    try {
      passed.push(await work(generation));
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      const { profile, number, link } = generation;
      broken.push({ profile, number, link, cause: error });
    }
  }
  return { passed, broken };
}

/** Runs a generation's program on a copy of its initrd, in memory where possible. */
async function appendSecrets(
  { initrd, initrdSecrets }: Bootspec,
  context: Context,
): Promise<SecretInitrd | undefined> {
  const { runSecrets, disk, environment, uid } = context;
  if (initrd === undefined || initrdSecrets === undefined || !runSecrets) return undefined;
  const isMounted = isElsewhere(context);
  const memory = isMounted || uid === 0 ? '/run' : environment['XDG_RUNTIME_DIR'];
  const inMemory = memory !== undefined && disk.stat(memory)?.kind === 'directory';
  const other = isMounted ? '/tmp' : (environment['TMPDIR'] ?? '/tmp');
  const directory = inMemory ? memory : other;
  return runSecrets({ program: initrdSecrets, initrd, directory });
}

/** One line, however many generations it is about: they have the same program, most often. */
function unsteady(secrets: readonly SecretInitrd[]): string[] {
  const count = secrets.filter(({ isSteady }) => isSteady === false).length;
  if (count === 0) return [];
  return [
    `what a program adds to ${counted(count, 'initrd')} is no cpio archive: if it is not the same bytes each time, every run writes their entries anew`,
  ];
}

/** Without its secrets an initrd has another digest: what follows from that is not known. */
function unknownSecrets(generations: readonly Generation[]): string[] {
  return generations
    .filter((generation) =>
      variants(generation).some(({ bootspec }) => bootspec.initrdSecrets !== undefined),
    )
    .map(
      (generation) =>
        `generation ${generationName(generation)}: a program adds secrets to its initrd and was not run; the names and sizes of what it wants, and whether it is on the ESP already, are unknown. --run-secrets runs it`,
    );
}
