/** Extra files: what is declared, with its digests, and what of it an ESP has. */

import type { Context } from '../context.ts';
import { hash } from '../digest.ts';
import type { DigestCache } from '../disk/digest-cache.ts';
import { digestIn } from '../disk/digest-in.ts';
import type { FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { extraRole, isDirectory } from '../esp/extra-manifest.ts';
import type { Inventory } from '../esp/inventory.ts';
import { directoryOf, type EspPath } from '../esp/layout.ts';
import { LARGEST_FILE } from '../esp/space.ts';
import { parseType1 } from '../esp/type1.ts';
import { requireTrusted, targetsOf } from '../esp/untrusted-source.ts';
import {
  type DeclaredExtra,
  decideExtras,
  type ExtraCase,
  type Extras,
  extraCases,
  type FoundExtra,
  wantsDigest,
} from '../plan/extras.ts';
import type { Payload } from '../plan/wanted.ts';
import {
  type ExtraSetting,
  type ExtraSettings,
  extraSettings,
} from '../settings/extra-settings.ts';
import type { Signer } from '../signer/signer.ts';
import { digestsOf, prepareSigned, signedProgram } from './payload.ts';

/** The extra files that settings declare. */
export interface Declared {
  readonly declared: readonly DeclaredExtra[];
  /** Their sources as they were when their digests were taken. */
  readonly sources: ReadonlyMap<string, FileStat>;
}

/** What systemd-boot reads of an entry is less. Bytes. */
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
): Promise<Declared> {
  const extras = extraSettings(settings);
  const paths = extras.flatMap(({ from }) => ('source' in from ? [from.source] : []));
  for (const extra of extras) requireHoldable(extra, context);
  const hashed = await digestsOf(new Set(paths), new Set(), context, cache);
  const payloadOf = async (
    extra: ExtraSetting,
    source: string,
    sign: boolean,
  ): Promise<Payload> => {
    const known = hashed.get(source);
    if (!known) throw unusable(extra, `${source}: it cannot be read`);
    const { stat, digest } = known;
    const plain = { path: source, size: stat.size, digest };
    if (!sign || signer.fingerprint === 'unsigned') return plain;
    try {
      return await signedProgram(plain, stat, signer, context, cache);
    } catch (cause) {
      if (!(cause instanceof EspError) || cause.code !== 'PE_MALFORMED') throw cause;
      throw unusable(extra, `${source}: it is no EFI program, and cannot be signed`, cause);
    }
  };
  const toSign = extras.flatMap(({ from }) => ('source' in from && from.sign ? [from.source] : []));
  if (signer.fingerprint !== 'unsigned')
    for (const source of toSign) requireTrusted(source, targetsOf(settings), context.disk);
  await prepareSigned(toSign, [], hashed, { signer, context, cache });
  const declared: DeclaredExtra[] = [];
  for (const extra of extras) {
    const { path, from } = extra;
    if ('text' in from) {
      declared.push(textExtra(path, from.text));
      continue;
    }
    const payload = await payloadOf(extra, from.source, from.sign === true);
    const { size, digest, signed } = payload;
    const content = { kind: signed ? 'signed' : 'file', path: from.source } as const;
    const isEntry = extraRole(path) === 'extra-entry';
    const text = isEntry ? context.disk.read(from.source, ENTRY_LIMIT) : new Uint8Array();
    declared.push({ path, size, digest, content, others: named(new TextDecoder().decode(text)) });
  }
  const sources = [...hashed].map(([path, { stat }]) => [path, stat] as const);
  return { declared, sources: new Map(sources) };
}

/** What FAT cannot hold is not read. */
function requireHoldable(extra: ExtraSetting, { disk }: Context): void {
  if (!('source' in extra.from)) return;
  const { source } = extra.from;
  const size = disk.stat(source)?.size ?? 0;
  if (size <= LARGEST_FILE) return;
  const expected = `expected at most ${LARGEST_FILE} bytes, which is all that FAT can hold`;
  throw unusable(extra, `${source}: ${expected}, got ${size}`);
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

/** What the settings want, and what of it is declared. */
interface Wanting {
  readonly settings: { readonly 'entry-token': string };
  readonly extras: readonly DeclaredExtra[];
}

/**
 * Returns which extra files an ESP should have, and which of those it has are ours.
 * @param deep every byte is read, and not only where it decides
 */
export function matchExtras(
  root: string,
  { settings, extras: declared }: Wanting,
  { manifests = [], marks = [] }: Inventory,
  { disk }: Pick<Context, 'disk'>,
  deep: boolean,
): Extras {
  const token = settings['entry-token'];
  const taken = marks.map(({ of }) => of);
  const cases = extraCases(declared, manifests, taken, token).map((extra) => {
    const found = find(root, extra, disk);
    const isUnsure = found.kind === 'file' && wantsDigest(extra, found.size, deep);
    const digest = isUnsure ? digestIn(`${root}/${extra.path}`, disk) : undefined;
    return { ...extra, found: { ...found, digest } };
  });
  return decideExtras(cases, token);
}

function find(root: string, { path }: ExtraCase, disk: Context['disk']): FoundExtra {
  const stat = disk.linkStat(`${root}/${path}`);
  if (stat?.kind === 'file' && isDirectory(disk, root, directoryOf(path))) {
    return { kind: 'file', size: stat.size };
  }
  const isBlocked = stat !== undefined || isBelowOther(root, path, disk);
  return { kind: isBlocked ? 'blocked' : 'absent', size: 0 };
}

/** Whether something above a path is there and no directory. */
function isBelowOther(root: string, path: EspPath, disk: Context['disk']): boolean {
  for (let above = directoryOf(path); above !== ''; above = directoryOf(above)) {
    const kind = disk.linkStat(`${root}/${above}`)?.kind;
    if (kind !== undefined && kind !== 'directory') return true;
  }
  return false;
}
