/** Reads the extra files that settings declare, and their digests. */

import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import type { FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { extraRole } from '../esp/extra-manifest.ts';
import type { EspPath } from '../esp/layout.ts';
import { LARGEST_FILE } from '../esp/space.ts';
import { parseType1 } from '../esp/type1.ts';
import { targetsOf, trustCheck } from '../esp/untrusted-source.ts';
import type { Architecture } from '../loader/architecture.ts';
import { parsePe } from '../pe/pe.ts';
import type { DeclaredExtra } from '../plan/extras.ts';
import type { Payload } from '../plan/wanted.ts';
import {
  type ExtraSetting,
  type ExtraSettings,
  extraSettings,
} from '../settings/extra-settings.ts';
import { isUnsigned, type Signer } from '../signer/signer.ts';
import { tooLarge } from './entry-maker.ts';
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

/**
 * Reads the sources of extra files.
 * @throws {CONFIG_INVALID} when one cannot be read, or not be signed
 * @throws {SIGNER_FAILED} {SIGNATURE_MISSING}
 */
export async function declareExtras(
  settings: ExtraSettings & Parameters<typeof targetsOf>[0],
  signer: Signer,
  context: Context,
  cache: DigestCache,
  processor: Architecture,
): Promise<Declared> {
  const extras = extraSettings(settings);
  const paths = extras.flatMap(({ from }) => ('source' in from ? [from.source] : []));
  for (const extra of extras) requireHoldable(extra, context);
  const hashed = await digestsOf(new Set(paths), new Set(), context, cache);
  const toSign = extras.flatMap(({ from }) => ('source' in from && from.sign ? [from.source] : []));
  const signed = isUnsigned(signer) ? [] : toSign;
  signed.forEach(trustCheck(targetsOf(settings), context.disk));
  await prepareSigned(toSign, [], hashed, { signer, context, cache });
  const declared: DeclaredExtra[] = [];
  for (const extra of extras) {
    const { path, from } = extra;
    if ('text' in from) {
      declared.push(textExtra(path, from.text));
      continue;
    }
    const payload = await payloadOf(extra, from, hashed, { signer, context, cache });
    const { size, digest, signed } = payload;
    const content = { kind: signed ? 'signed' : 'file', path: from.source } as const;
    const isEntry = extraRole(path) === 'extra-entry';
    const text = isEntry ? context.disk.read(from.source, ENTRY_LIMIT) : new Uint8Array();
    declared.push({ path, size, digest, content, others: named(new TextDecoder().decode(text)) });
  }
  const sources = [...hashed].map(([path, { stat }]) => [path, stat] as const);
  const warnings = extras.flatMap((extra) => processorWarning(extra, processor, context));
  return { declared, sources: new Map(sources), warnings };
}

/** Firmware starts no program for another processor. One whose name says which it is for is meant so. */
function processorWarning(
  { key, path, from }: ExtraSetting,
  { machine, efi }: Architecture,
  { disk }: Context,
): string[] {
  if (!('source' in from) || !/\.efi$/i.test(path) || NAMES_PROCESSOR.test(path)) return [];
  try {
    using file = disk.open(from.source);
    const { machine: got } = parsePe(file);
    if (got === machine) return [];
    const other = `0x${got.toString(16)}`;
    return [
      `${key}: ${from.source} is a program for another processor (machine ${other}): firmware of this machine (${efi}) does not start it`,
    ];
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}

const NAMES_PROCESSOR = /(?:x64|ia32|aa64|arm|riscv64|loongarch64)\.efi$/i;

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
    return await signedProgram(plain, stat, signer, context, cache);
  } catch (cause) {
    if (!(cause instanceof EspError) || cause.code !== 'PE_MALFORMED') throw cause;
    throw unusable(extra, `${source}: it is no EFI program, and cannot be signed`, cause);
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
  return new EspError('CONFIG_INVALID', `${key}: ${message}`, cause ? { cause } : {});
}
