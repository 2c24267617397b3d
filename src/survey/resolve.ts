/** From generations to what they want on an ESP: secrets appended, payloads hashed, names given. */

import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, espPath } from '../esp/layout.ts';
import { LARGEST_FILE } from '../esp/space.ts';
import { requireTrusted, targetsOf } from '../esp/untrusted-source.ts';
import type { Bootspec } from '../generation/bootspec.ts';
import type { Generation, Malformed } from '../generation/generation.ts';
import type { SecretInitrd } from '../generation/initrd-secrets.ts';
import { modulesRelease } from '../generation/modules.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { SectionContent } from '../plan/step.ts';
import { wantThin } from '../plan/thin.ts';
import {
  filesOf,
  generationName,
  type ImageSettings,
  type Payload,
  type Resolved,
  textSection,
  type WantedEntry,
  type WantedGeneration,
  wantType1,
  wantUki,
  withTries,
} from '../plan/wanted.ts';
import type { Settings } from '../settings/settings.ts';
import type { Signer } from '../signer/signer.ts';
import { kernelTraits } from '../uki/kernel.ts';
import { initrdWarnings } from './initrd-check.ts';
import {
  type Hashed,
  prepareKernels,
  type Secrets,
  signedProgram,
  takeDigests,
  type Variant,
  variants,
} from './payload.ts';

/** What the generations become. */
export interface Resolution {
  readonly wanted: readonly WantedGeneration[];
  /** Generations that turned out not to be installable. */
  readonly broken: readonly Malformed[];
  /** What may keep a system from booting, though all that is named is there. */
  readonly warnings: readonly string[];
  /** What is as it should be here, and costs something elsewhere. */
  readonly cautions: readonly string[];
  /** Sources as they were when their digests were taken. */
  readonly sources: ReadonlyMap<string, FileStat>;
  /** Removes the private copies of initrds with secrets. */
  readonly dispose: () => void;
}

/** How entries are to be made. */
export interface EntryPolicy {
  readonly settings: Settings;
  readonly signer: Signer;
  /** The stub of images; undefined for Type #1 entries. */
  readonly stub: string | undefined;
  /** Files beside those of generations, some of which may follow an initrd. */
  readonly extras: readonly DeclaredExtra[];
  /** The boot loader that is to be installed, as it is outside the ESP. */
  readonly loader: string;
}

/** Resolves generations one by one: what is wrong with one does not stop the others. */
export async function resolve(
  generations: readonly Generation[],
  policy: EntryPolicy,
  context: Context,
  cache: DigestCache,
): Promise<Resolution> {
  const images = imageSettings(policy, context);
  const wantImage = policy.settings.format === 'thin' ? wantThin : wantUki;
  const made: SecretInitrd[] = [];
  const dispose = () => {
    for (const secret of made) secret.remove();
  };
  try {
    const secrets = new Map<Bootspec, SecretInitrd>();
    const prepared = await separate(generations, async (generation) => {
      for (const { bootspec } of variants(generation)) {
        requireHoldable(bootspec, policy.settings.format, context);
        requireOutside(bootspec, policy, context);
        const secret = await appendSecrets(bootspec, context);
        if (!secret) continue;
        made.push(secret);
        secrets.set(bootspec, secret);
      }
      return generation;
    });
    const payloads = await takeDigests(prepared.passed, secrets, context, cache);
    if (policy.settings.format === 'type1') {
      await prepareKernels(prepared.passed, payloads, policy, context, cache);
    }
    const warnings: string[] = context.runSecrets ? [] : unknownSecrets(prepared.passed);
    const described = await separate(prepared.passed, async (generation) => {
      const entries = [];
      for (const variant of variants(generation)) {
        const { bootspec } = variant;
        const known = bootspec.initrd === undefined ? undefined : payloads.get(bootspec.initrd);
        const troubles = await initrdWarnings(bootspec, known, context, cache);
        warnings.push(
          ...troubles.map((text) => `generation ${generationName(generation)}: ${text}`),
        );
        const sources = { secrets, payloads };
        const resolved = await describe(variant, sources, policy, context, cache);
        const token = policy.settings['entry-token'];
        const entry = images ? wantImage(token, resolved, images) : wantType1(token, resolved);
        requireSizes(entry);
        if (policy.settings.format === 'thin') requireFirmwareText(entry);
        entries.push(withTries(entry, policy.settings['boot-counting']));
      }
      return { name: generationName(generation), number: generation.number, entries };
    });
    return {
      wanted: described.passed,
      broken: [...prepared.broken, ...described.broken],
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

function requireSizes(entry: WantedEntry): void {
  const file = filesOf(entry).find(({ size }) => size > LARGEST_FILE);
  if (file !== undefined) throw tooLarge(file.path, file.size);
}

/** Bytes from an ESP must not get our signature, whichever system names them. */
function requireOutside(
  { kernel, initrd, devicetree }: Bootspec,
  { settings, signer }: EntryPolicy,
  { disk }: Context,
): void {
  if (signer.fingerprint === 'unsigned') return;
  // Of a Type #1 entry nothing but the kernel is signed.
  const signed = settings.format === 'type1' ? [kernel] : [kernel, initrd, devicetree];
  for (const path of signed) if (path) requireTrusted(path, targetsOf(settings), disk);
}

/** What FAT cannot hold is not read: of a sparse file that could take for ever. An image holds all in one. */
function requireHoldable(
  { kernel, initrd, devicetree }: Bootspec,
  format: Settings['format'],
  { disk }: Context,
): void {
  const files = [kernel, initrd, devicetree].flatMap((path) => {
    const size = path === undefined ? undefined : disk.stat(path)?.size;
    return path === undefined || size === undefined ? [] : [{ path, size }];
  });
  for (const { path, size } of files) if (size > LARGEST_FILE) throw tooLarge(path, size);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  if (format === 'uki' && total > LARGEST_FILE) throw tooLarge('its image', total);
}

function tooLarge(path: string, size: number): EspError {
  return new EspError(
    'FILE_TOO_LARGE',
    `${path}: expected at most ${LARGEST_FILE} bytes, which is all that FAT can hold, got ${size}`,
  );
}

/** The stub makes of the command line what firmware calls text, and starts nothing when it cannot. */
function requireFirmwareText({ cmdline }: WantedEntry): void {
  const [other] = /[\0\u{10000}-\u{10ffff}]/u.exec(cmdline) ?? [];
  if (other === undefined) return;
  throw new EspError(
    'GENERATION_BROKEN',
    `its command line holds ${JSON.stringify(other)}, which the stub of a thin image cannot read`,
    { hint: 'leave it out of the kernel parameters, or use --format uki' },
  );
}

/** Lets the generation's program append secrets to a copy of its initrd, in memory where there is such a place. */
async function appendSecrets(
  { initrd, initrdSecrets }: Bootspec,
  { runSecrets, disk, environment, uid, isElsewhere }: Context,
): Promise<SecretInitrd | undefined> {
  if (initrd === undefined || initrdSecrets === undefined || !runSecrets) return undefined;
  const memory = isElsewhere || uid === 0 ? '/run' : environment['XDG_RUNTIME_DIR'];
  const inMemory = memory !== undefined && disk.stat(memory)?.kind === 'directory';
  const other = isElsewhere ? '/tmp' : (environment['TMPDIR'] ?? '/tmp');
  const directory = inMemory ? memory : other;
  return runSecrets({ program: initrdSecrets, initrd, directory });
}

/** One line, however many generations it is about: they have the same program, most often. */
function unsteady(secrets: readonly SecretInitrd[]): string[] {
  const count = secrets.filter(({ isSteady }) => isSteady === false).length;
  if (count === 0) return [];
  return [
    `what a program adds to ${count} initrds is no cpio archive: if it is not the same bytes each time, every run writes their entries anew`,
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

async function describe(
  variant: Variant,
  { secrets, payloads }: { secrets: Secrets; payloads: ReadonlyMap<string, Hashed> },
  { settings, signer, extras }: EntryPolicy,
  context: Context,
  cache: DigestCache,
): Promise<Resolved> {
  const { bootspec } = variant;
  const extraInitrds = extraInitrdsOf(bootspec, extras);
  const find = (path: string): Hashed => {
    const found = payloads.get(path);
    if (!found) throw new EspError('GENERATION_BROKEN', `${path}: cannot be read`);
    return found;
  };
  const payload = (path: string): Payload => {
    const { stat, digest } = find(path);
    return { path, size: stat.size, digest };
  };
  const initrd = secrets.get(bootspec)?.path ?? bootspec.initrd;
  const plain = payload(bootspec.kernel);
  // Firmware checks the kernel of a Type #1 entry by itself; of a thin image, the stub its digest.
  const isUki = settings.format === 'uki';
  if (settings.format !== 'type1') requireOwnInitrd(bootspec, settings.format);
  const kernel =
    settings.format !== 'type1' || signer.fingerprint === 'unsigned'
      ? plain
      : await signedProgram(plain, find(plain.path).stat, signer, context, cache);
  // That it is an EFI program is enough to know of a kernel, once; a UKI needs more.
  const { stat } = find(plain.path);
  const isProgram = cache.get(EFI_PROGRAM, plain.path, stat) !== undefined;
  const release = isUki || !isProgram ? kernelRelease(plain.path, context) : undefined;
  if (!isProgram) cache.put(EFI_PROGRAM, plain.path, stat, plain.digest);
  const uname = release ?? modulesRelease(context.disk, bootspec.toplevel);
  return {
    ...variant,
    kernel,
    ...(initrd === undefined ? {} : { initrd: payload(initrd) }),
    ...(bootspec.devicetree === undefined ? {} : { devicetree: payload(bootspec.devicetree) }),
    ...(extraInitrds.length > 0 ? { extraInitrds } : {}),
    ...(isUki && uname !== undefined ? { uname } : {}),
  };
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

/** Files for sections are small: a picture, microcode, text. Bytes. */
const SECTION_LIMIT = 64 * 1024 * 1024;

/** Those among the configured sections that are text, and so are kept in memory. */
const TEXT_SECTIONS = new Set(['sbat', 'profile']);

function imageSettings(
  { settings, signer, stub }: EntryPolicy,
  { disk }: Context,
): ImageSettings | undefined {
  if (stub === undefined) return undefined;
  const extra = Object.entries(settings.sections).flatMap(([name, path]): SectionContent[] => {
    if (path === undefined) return [];
    const bytes = disk.read(path, SECTION_LIMIT);
    if (TEXT_SECTIONS.has(name)) return [textSection(`.${name}`, new TextDecoder().decode(bytes))];
    const content = { kind: 'file', path } as const;
    return [{ name: `.${name}`, digest: hash(bytes), size: bytes.length, content }];
  });
  const stubSize = disk.stat(stub)?.size;
  if (stubSize === undefined) {
    throw new EspError('CONFIG_INVALID', `${stub}: there is no stub`, {
      hint: 'install systemd-boot, name its directory with --systemd or the stub with --stub, or use --format type1',
    });
  }
  return { stub, stubSize, fingerprint: signer.fingerprint, extra };
}
