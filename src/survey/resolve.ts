/** From generations to what they want on an ESP: secrets appended, payloads hashed, names given. */

import type { Context } from '../context.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation, Malformed } from '../generation/generation.ts';
import type { SecretInitrd } from '../generation/initrd-secrets.ts';
import { modulesRelease } from '../generation/modules.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { Format } from '../plan/format/format.ts';
import {
  filesOf,
  generationName,
  type Payload,
  type Resolved,
  type WantedEntry,
  type WantedGeneration,
  withTries,
} from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';
import { kernelTraits } from '../uki/kernel.ts';
import { imageSettings } from './image-settings.ts';
import { initrdWarnings } from './initrd-check.ts';
import {
  type Hashed,
  prepareKernels,
  signedProgram,
  takeDigests,
  type Variant,
  variants,
} from './payload.ts';
import type { ChosenFormat } from './stub.ts';

/** What the generations become. */
export interface Resolution {
  readonly wanted: readonly WantedGeneration[];
  /** Generations that turned out not to be installable. */
  readonly broken: readonly Malformed[];
  /** What may keep a system from booting, though all that is named is there. */
  readonly warnings: readonly string[];
  /** Sources as they were when their digests were taken. */
  readonly sources: ReadonlyMap<string, FileStat>;
  /** Removes the private copies of initrds with secrets. */
  readonly dispose: () => void;
}

/** How entries are to be made. */
export interface EntryPolicy {
  readonly settings: Settings;
  readonly signer: Signer;
  readonly chosen: ChosenFormat;
  /** Files beside those of generations, some of which may follow an initrd. */
  readonly extras: readonly DeclaredExtra[];
  /** The boot loader that is to be installed, as it is outside the ESP. */
  readonly loader: string;
}

/** What the entries of a run are made with. */
interface Making {
  readonly policy: EntryPolicy;
  readonly context: Context;
  readonly cache: DigestCache;
  readonly secrets: Map<Bootspec, SecretInitrd>;
}

/** Resolves generations one by one: what is wrong with one does not stop the others. */
export async function resolve(
  generations: readonly Generation[],
  policy: EntryPolicy,
  context: Context,
  cache: DigestCache,
): Promise<Resolution> {
  const want = wantingOf(policy, context);
  const secrets = new Map<Bootspec, SecretInitrd>();
  const making = { policy, context, cache, secrets };
  const dispose = () => {
    for (const secret of secrets.values()) secret.remove();
  };
  try {
    const prepared = await separate(generations, async (generation) => {
      await addSecrets(generation, making);
      return generation;
    });
    const payloads = await takeDigests(prepared.passed, secrets, context, cache);
    if (policy.chosen.format.signsKernels) {
      await prepareKernels(prepared.passed, payloads, policy, context, cache);
    }
    const warnings: string[] = [];
    const described = await separate(prepared.passed, async (generation) => {
      const name = generationName(generation);
      const entries: WantedEntry[] = [];
      for (const variant of variants(generation)) {
        const troubles = await troublesOf(variant, payloads, making);
        warnings.push(...troubles.map((text) => `generation ${name}: ${text}`));
        entries.push(want(await describe(variant, payloads, making)));
      }
      return { name, number: generation.number, entries };
    });
    return {
      wanted: described.passed,
      broken: [...prepared.broken, ...described.broken],
      warnings,
      sources: new Map([...payloads].map(([path, { stat }]) => [path, stat])),
      dispose,
    };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Returns what makes an entry in the format of the settings, or refuses it. */
function wantingOf(policy: EntryPolicy, context: Context): (resolved: Resolved) => WantedEntry {
  const { settings, chosen } = policy;
  const want = entryMaker(policy, context);
  return (resolved) => {
    const entry = want(resolved);
    requireSizes(entry);
    requireReadable(entry, chosen.format);
    return withTries(entry, settings['boot-counting']);
  };
}

function entryMaker(policy: EntryPolicy, context: Context): (resolved: Resolved) => WantedEntry {
  const { settings, chosen } = policy;
  const token = settings['entry-token'];
  if (chosen.stub === undefined) return (resolved) => chosen.format.want(token, resolved);
  const images = imageSettings(chosen.stub, policy, context);
  return (resolved) => chosen.format.want(token, resolved, images);
}

async function addSecrets(generation: Generation, { context, secrets }: Making): Promise<void> {
  for (const { bootspec } of variants(generation)) {
    const secret = await appendSecrets(bootspec, context);
    if (secret) secrets.set(bootspec, secret);
  }
}

/** What may keep a system from booting, though all that is named is there. */
function troublesOf(
  { bootspec }: Variant,
  payloads: ReadonlyMap<string, Hashed>,
  { context, cache }: Making,
): Promise<readonly string[]> {
  const known = bootspec.initrd === undefined ? undefined : payloads.get(bootspec.initrd);
  return initrdWarnings(bootspec, known, context, cache);
}

/** Does work for each generation, and sets those apart for which it fails. */
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

/** The most that FAT can say of the size of a file, in bytes. */
const LARGEST_FILE = 2 ** 32 - 1;

function requireSizes(entry: WantedEntry): void {
  const file = filesOf(entry).find(({ size }) => size > LARGEST_FILE);
  if (file === undefined) return;
  throw new EspError(
    'FILE_TOO_LARGE',
    `${file.path}: expected at most ${LARGEST_FILE} bytes, which is all that FAT can hold, got ${file.size}`,
  );
}

function requireReadable({ cmdline }: WantedEntry, { unreadable }: Format): void {
  const [other] = unreadable?.characters.exec(cmdline) ?? [];
  if (unreadable === undefined || other === undefined) return;
  throw new EspError(
    'GENERATION_BROKEN',
    `its command line holds ${JSON.stringify(other)}, which ${unreadable.by} cannot read`,
    { hint: 'leave it out of the kernel parameters, or use --format uki' },
  );
}

/** Lets the generation's program append secrets to a copy of its initrd, in memory where there is such a place. */
async function appendSecrets(
  { initrd, initrdSecrets }: Bootspec,
  { runSecrets, disk, environment, uid, isElsewhere }: Context,
): Promise<SecretInitrd | undefined> {
  if (initrd === undefined || initrdSecrets === undefined) return undefined;
  const memory = isElsewhere || uid === 0 ? '/run' : environment['XDG_RUNTIME_DIR'];
  const inMemory = memory !== undefined && disk.stat(memory)?.kind === 'directory';
  const other = isElsewhere ? '/tmp' : (environment['TMPDIR'] ?? '/tmp');
  const directory = inMemory ? memory : other;
  return runSecrets({ program: initrdSecrets, initrd, directory });
}

async function describe(
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
  const { format } = policy.chosen;
  if (!format.takesEspInitrds) requireOwnInitrd(bootspec, policy.settings.format);
  const kernel = await kernelPayload(payload(bootspec.kernel), hashed, making);
  const release = releaseOf(bootspec.kernel, hashed, making);
  const uname = release ?? modulesRelease(context.disk, bootspec.toplevel);
  const isTold = format.tellsRelease && uname !== undefined;
  return {
    ...variant,
    kernel,
    ...(initrd === undefined ? {} : { initrd: payload(initrd) }),
    ...(bootspec.devicetree === undefined ? {} : { devicetree: payload(bootspec.devicetree) }),
    ...(extraInitrds.length > 0 ? { extraInitrds } : {}),
    ...(isTold ? { uname } : {}),
  };
}

function find(path: string, payloads: ReadonlyMap<string, Hashed>): Hashed {
  const found = payloads.get(path);
  if (!found) throw new EspError('GENERATION_BROKEN', `${path}: cannot be read`);
  return found;
}

/** The kernel as it is, or signed where firmware checks it by itself. */
function kernelPayload(
  plain: Payload,
  { stat }: Hashed,
  { policy: { chosen, signer }, context, cache }: Making,
): Payload | Promise<Payload> {
  const isPlain = !chosen.format.signsKernels || signer.fingerprint === 'unsigned';
  return isPlain ? plain : signedProgram(plain, stat, signer, context, cache);
}

/** That it is an EFI program is enough to know of a kernel, once, unless its entry tells the release. */
function releaseOf(
  path: string,
  { stat, digest }: Hashed,
  { policy, context, cache }: Making,
): string | undefined {
  const isProgram = cache.get(EFI_PROGRAM, path, stat) !== undefined;
  if (isProgram && !policy.chosen.format.tellsRelease) return undefined;
  const release = kernelRelease(path, context);
  if (!isProgram) cache.put(EFI_PROGRAM, path, stat, digest);
  return release;
}

/** What is declared is taken from its source, and not from the ESP. */
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

/** An image is signed with all that it boots, and nothing that lies on an ESP is ever signed. */
function requireOwnInitrd({ extraInitrds: [first] = [] }: Bootspec, format: string): void {
  if (first === undefined) return;
  throw new EspError(
    'GENERATION_BROKEN',
    `its initrd is followed by ${first} from the ESP, which no entry of the format ${format} can have`,
    { hint: 'use --format type1, or put what that file holds into the initrd' },
  );
}

/** The key under which a kernel is remembered that has the headers of an EFI program. */
const EFI_PROGRAM = 'efi-program';

/** @throws {PE_MALFORMED} when the kernel is no EFI program: neither stub nor loader could start it */
function kernelRelease(path: string, { disk }: Context): string | undefined {
  const source = disk.open(path);
  try {
    return kernelTraits(source, path).release;
  } finally {
    source.close();
  }
}
