/** Reads the extra files that settings declare, and their digests. */

import type { Context } from '../context.ts';
import { digestOf, hash } from '../digest.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { Disk, FileStat } from '../disk/disk.ts';
import { openSignatureCache, type SignatureCache } from '../disk/signature-cache.ts';
import { EspError } from '../error.ts';
import { extraRole } from '../esp/extra-manifest.ts';
import type { EspPath } from '../esp/layout.ts';
import { LARGEST_FILE, tooLarge } from '../esp/space.ts';
import { parseType1 } from '../esp/type1.ts';
import { targetsOf, trustCheck } from '../esp/untrusted-source.ts';
import type { Architecture } from '../loader/architecture.ts';
import { parsePe } from '../pe/pe.ts';
import { startFault } from '../pe/program.ts';
import { requireSoundSections } from '../pe/section-findings.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import { fileSection, textSection } from '../plan/section.ts';
import type { Payload } from '../plan/wanted.ts';
import { isPrivateKey, TELLING } from '../secureboot/private-key.ts';
import {
  ADDON_FILES,
  type AddonParts,
  type ExtraSetting,
  type ExtraSettings,
  extraSettings,
  filesOfAddons,
} from '../settings/extra-settings.ts';
import type { Settings } from '../settings/settings.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import { requireDevicetree } from '../uki/devicetree.ts';
import { digestsOf, type Hashed, type Preparing, prepareSigned, signedProgram } from './payload.ts';

/** The extra files that settings declare. */
export interface Declared {
  readonly declared: readonly DeclaredExtra[];
  /** Their sources, as they were when their digests were computed. */
  readonly sources: ReadonlyMap<string, FileStat>;
  /** Programs that firmware of this machine does not start. */
  readonly warnings: readonly string[];
}

/** In bytes. systemd-boot reads no larger entry. */
const ENTRY_LIMIT = 64 * 1024;

/** Who signs extra files, what addons are built on, and the processor that they are for. */
interface ExtraMaking {
  readonly signer: Signer;
  readonly addonStub: string;
  readonly architecture: Architecture;
}

/**
 * Reads the sources of extra files.
 * @throws {CONFIG_INVALID} when one cannot be read, or not be signed
 * @throws {SIGNER_FAILED} {SIGNATURE_MISSING}
 */
export async function declareExtras(
  settings: ExtraSettings & Pick<Settings, 'cache-dir'> & Parameters<typeof targetsOf>[0],
  { signer, addonStub: stub, architecture }: ExtraMaking,
  context: Context,
  cache: DigestCache,
): Promise<Declared> {
  const extras = extraSettings(settings);
  const paths = [
    ...extras.flatMap(({ from }) => ('source' in from ? [from.source] : [])),
    ...filesOfAddons(settings.addons),
  ];
  for (const extra of extras) requireHoldable(extra, context);
  const hashed = await digestsOf(new Set(paths), new Set(), context, cache);
  const toSign = extras.flatMap(({ from }) => ('source' in from && from.sign ? [from.source] : []));
  const built = filesOfAddons(settings.addons);
  const inAddons = Object.keys(settings.addons).length > 0 ? [stub, ...built] : [];
  const signed = isUnsigned(signer) ? [] : [...toSign, ...inAddons];
  signed.forEach(trustCheck(targetsOf(settings), context.disk));
  await prepareSigned(toSign, [], hashed, { signer, context, cache });
  const remembered = openSignatureCache(context.disk, settings['cache-dir'], 'addons');
  const sign = rememberingSign(signer, remembered, context);
  const declared: DeclaredExtra[] = [];
  for (const extra of extras) {
    const { path, from } = extra;
    if ('text' in from) {
      declared.push(textExtra(path, from.text));
      continue;
    }
    if ('addon' in from) {
      const making = { stub, sign, machine: architecture.machine, context };
      declared.push(await addonExtra(extra, from.addon, hashed, making));
      continue;
    }
    const payload = await payloadOf(extra, from, hashed, { signer, context, cache });
    const { size, digest, signed } = payload;
    const content = { kind: signed ? 'signed' : 'file', path: from.source } as const;
    const isEntry = extraRole(path) === 'extra-entry';
    const text = isEntry ? context.disk.read(from.source, ENTRY_LIMIT) : new Uint8Array();
    declared.push({ path, size, digest, content, others: named(new TextDecoder().decode(text)) });
  }
  await remembered.save();
  const sources = [...hashed].map(([path, { stat }]) => [path, stat] as const);
  const warningsOf = [startWarning, secretWarning];
  const warnings = extras.flatMap((extra) =>
    warningsOf.flatMap((about) => about(extra, context, architecture)),
  );
  return { declared, sources: new Map(sources), warnings };
}

/** A program that firmware here does not start is told. One whose name says which processor it is for is meant so. */
function startWarning(
  { key, path, from }: ExtraSetting,
  { disk }: Context,
  { machine, efi }: Architecture,
): string[] {
  if (!('source' in from) || !/\.efi$/i.test(path) || NAMES_PROCESSOR.test(path)) return [];
  try {
    using file = disk.open(from.source);
    const fault = startFault(parsePe(file), machine, true);
    if (fault === undefined) return [];
    return [`${key}: firmware of this machine (${efi}) does not start ${from.source}: ${fault}`];
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}

/** Whoever takes the disk out reads what is on it. */
function secretWarning({ key, from }: ExtraSetting, { disk }: Context): string[] {
  const files = 'source' in from ? [from.source] : 'addon' in from ? partsOf(from.addon) : [];
  return files
    .filter((path) => isSecret(path, disk))
    .map(
      (path) =>
        `${key}: ${path} is a private key, and everyone who has the disk can read it there: leave it out, and make a new one`,
    );
}

function partsOf(addon: AddonParts): readonly string[] {
  return ADDON_FILES.flatMap((name) => addon[name] ?? []);
}

function isSecret(path: string, disk: Context['disk']): boolean {
  using file = disk.open(path);
  return isPrivateKey(file.read(0, Math.min(TELLING, file.size)));
}

const NAMES_PROCESSOR = /(?:x64|ia32|aa64|arm|riscv64|loongarch64)\.efi$/i;

/**
 * Returns what signs addons: their digests have to be known in every run, and a key that is elsewhere is
 * asked for each once. Who only looks or asks knows the size of a signature, and that is all it takes.
 */
function rememberingSign(
  signer: Signer,
  remembered: SignatureCache,
  { looksOnly }: Context,
): Signer['sign'] {
  if (isUnsigned(signer)) return () => undefined;
  const isAtHand = signer.onlyAsks !== true && !(looksOnly && signer.prepare);
  return (imageDigest) => {
    const name = `${signer.fingerprint} ${digestOf(imageDigest)}`;
    const known = remembered.get(name);
    if (known && signer.verify([known], imageDigest).kind === 'valid') return known;
    if (!isAtHand) return new Uint8Array(signer.signatureSize);
    const made = signer.sign(imageDigest);
    if (made) remembered.put(name, made);
    return made;
  };
}

/** What addons are made with. */
interface AddonMaking {
  readonly stub: string;
  readonly sign: Signer['sign'];
  readonly machine: number;
  readonly context: Context;
}

/** The stub of an image takes no addon for another processor, and no device tree that is none. */
function requireWhole(extra: ExtraSetting, stub: string, machine: number, disk: Disk): void {
  const dtb = 'addon' in extra.from ? extra.from.addon.dtb : undefined;
  try {
    using program = disk.open(stub);
    const fault = startFault(parsePe(program, stub), machine);
    if (fault !== undefined) throw unusable(extra, `${stub}: ${fault}`);
    if (dtb === undefined || disk.stat(dtb)?.kind !== 'file') return;
    using tree = disk.open(dtb);
    requireDevicetree(tree, dtb);
  } catch (cause) {
    if (!(cause instanceof EspError) || cause.code === 'CONFIG_INVALID') throw cause;
    throw unusable(extra, cause.message, cause);
  }
}

/** Makes an addon of its parts, and tells what it will be. */
async function addonExtra(
  extra: ExtraSetting,
  parts: AddonParts,
  hashed: ReadonlyMap<string, Hashed>,
  { stub, sign, machine, context }: AddonMaking,
): Promise<DeclaredExtra> {
  const { disk } = context;
  if (disk.stat(stub)?.kind !== 'file') {
    throw unusable(extra, `${stub}: there is no stub for addons, which systemd has from 254 on`);
  }
  requireWhole(extra, stub, machine, disk);
  const { cmdline, uname } = parts;
  const sections = [
    ...(cmdline === undefined ? [] : [textSection('.cmdline', cmdline)]),
    ...(uname === undefined ? [] : [textSection('.uname', uname)]),
    ...ADDON_FILES.flatMap((name) => {
      const source = parts[name];
      if (source === undefined) return [];
      const known = hashed.get(source);
      if (!known) throw unreadable(extra, source, disk);
      return [
        fileSection(`.${name}`, { path: source, size: known.stat.size, digest: known.digest }),
      ];
    }),
  ];
  if (sections.length === 0) throw unusable(extra, 'expected cmdline, initrd, ucode or dtb');
  const content = { kind: 'addon', stub, sections } as const;
  const { describeImage } = await import('../recipe/image-file.ts');
  const { size, digest } = await describeImage(content, disk, sign);
  return { path: extra.path, size, digest, content, others: [] };
}

/** What FAT cannot hold is not read. */
function requireHoldable(extra: ExtraSetting, { disk }: Context): void {
  if (!('source' in extra.from)) return;
  const { source } = extra.from;
  const size = disk.stat(source)?.size ?? 0;
  if (size <= LARGEST_FILE) return;
  throw unusable(extra, tooLarge(source, size).message);
}

async function payloadOf(
  extra: ExtraSetting,
  { source, sign = false }: { readonly source: string; readonly sign?: boolean | undefined },
  hashed: ReadonlyMap<string, Hashed>,
  { signer, context, cache }: Preparing,
): Promise<Payload> {
  const known = hashed.get(source);
  if (!known) throw unreadable(extra, source, context.disk);
  const { stat, digest } = known;
  const plain = { path: source, size: stat.size, digest };
  if (!sign || isUnsigned(signer)) return plain;
  try {
    using program = context.disk.open(source);
    requireSoundSections(parsePe(program, source), source);
    return await signedProgram(plain, stat, signer, context, cache);
  } catch (cause) {
    if (!(cause instanceof EspError) || cause.code !== 'PE_MALFORMED') throw cause;
    throw unusable(
      extra,
      `it is no whole EFI program, and cannot be signed: ${cause.message}`,
      cause,
    );
  }
}

/** A source that is there and cannot be read is no mistake of who declared it. */
function unreadable(extra: ExtraSetting, source: string, disk: Context['disk']): EspError {
  if (disk.stat(source)?.kind !== 'file') return unusable(extra, `${source}: it cannot be read`);
  return new EspError('IO', `${extra.key}: ${source}: it is there and cannot be read`, {
    hint: 'look at its permissions and at the disk that it is on',
  });
}

function textExtra(path: EspPath, text: string): DeclaredExtra {
  const size = new TextEncoder().encode(text).length;
  return { path, size, digest: hash(text), content: { kind: 'text', text }, others: named(text) };
}

function named(text: string): readonly EspPath[] {
  return parseType1(text).files;
}

function unusable({ key }: ExtraSetting, message: string, cause?: EspError): EspError {
  return new EspError('CONFIG_INVALID', `${key}: ${message}`, {
    ...(cause && { cause }),
    hint: `correct ${key} in the configuration, or leave it out`,
  });
}
