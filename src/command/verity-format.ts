/** `verity format`: writes the hash area of data and prints its root hash. */
import { bytesToHex } from '@noble/hashes/utils.js';
import type * as v from 'valibot';
import type { Context } from '../context.ts';
import { openBytes, openRaw } from '../disk/raw-file.ts';
import { EspError, EXIT_WARNINGS } from '../error.ts';
import type { RawFile } from '../process/machine.ts';
import { misuse, readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { dataDigests, type Labour } from '../verity/data-digests.ts';
import type { BlockSource } from '../verity/data-pieces.ts';
import { hashArea } from '../verity/hash-area.ts';
import { hashTree } from '../verity/hash-tree.ts';
import { formatHeader, type Header, headerDocument } from '../verity/header-text.ts';
import { NO_SEED, saltFrom, superblockUuidFrom } from '../verity/seed.ts';
import { formatSuperblock, type Parameters } from '../verity/superblock.ts';
import { requireCovered, tailWarning } from '../verity/tail.ts';
import { formatSchema } from './verity-settings.ts';

const VERB = 'verity format';

type Settings = v.InferOutput<typeof formatSchema>;

/**
 * Writes the hash area of DATA into HASH. The same data and flags give the same bytes, whatever was in
 * the file: it ends with the area, unless the data are in it as well. What lies before the area stays.
 * @throws {CONFIG_INVALID} for wrong flags, and for a hash area that would lie over the data
 * @throws {FILE_MISSING} when DATA is not there
 */
export async function verityFormat(
  { operands: [dataPath = '', hashPath = ''], flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, machine, print, progress } = context;
  const settings = readFlags(formatSchema, flags, VERB);
  using data = openBytes(dataPath, context);
  const parameters = parametersOf(settings, dataPath, data.size);
  const isSame = isSameFile(context, dataPath, hashPath);
  if (isSame) requireBehind(parameters, settings);
  // Who says how many blocks are data knows what lies behind them.
  const tail = settings['data-blocks'] === undefined ? tailWarning(data, parameters, dataPath) : [];
  requireCovered(tail, settings.strict);
  const isNew = disk.stat(hashPath) === undefined;
  using hash = openRaw(hashPath, 'write', context);
  try {
    const { end } = hashArea(parameters, settings['hash-offset']);
    requireRoom(hash, hashPath, end);
    // SAFETY: the area is written in place: what booted by the one that was here does not any more.
    // Nothing boots by the new one before its root hash is in a command line.
    if (!isSame && hash.size > end) hash.cut(end);
    progress?.begin(`hashing ${dataPath}`, {
      bytes: parameters.dataBlocks * parameters.dataBlockSize,
    });
    const labour = {
      ...{ name: dataPath, thread: { machine, path: disk.hostPath(dataPath) } },
      ...(progress && { onHashed: progress.advance }),
    };
    const header = await writeHashArea(hash, data, parameters, settings, labour);
    const file = settings['root-hash-file'];
    if (file !== undefined) await disk.replaceText(file, bytesToHex(header.rootHash), 'everyone');
    const document = { version: 1, verb: VERB, ...headerDocument(header) };
    print(json ? JSON.stringify(document, undefined, 2) : formatHeader(header, hashPath));
    for (const warning of tail) {
      (await import('../terminal/log.ts')).openLog(verbosity).warn(warning);
    }
    return tail.length > 0 ? EXIT_WARNINGS : 0;
  } catch (error) {
    // SAFETY: an area whose root hash was not told is of no use, and this file did not exist
    // before. Nothing boots by it.
    if (isNew) disk.remove(hashPath);
    throw error;
  }
}

function parametersOf(settings: Settings, dataPath: string, size: number): Parameters {
  const dataBlockSize = settings['data-block-size'];
  const there = Math.floor(size / dataBlockSize);
  const dataBlocks = settings['data-blocks'] ?? there;
  if (dataBlocks > there || there === 0) {
    const expected = Math.max(1, dataBlocks) * dataBlockSize;
    throw misuse(`${dataPath}: expected at least ${expected} bytes, got ${size}`, VERB);
  }
  return {
    algorithm: settings.hash,
    dataBlockSize,
    hashBlockSize: settings['hash-block-size'],
    dataBlocks,
    salt: settings.salt ?? saltFrom(settings.seed ?? NO_SEED),
  };
}

function isSameFile({ disk }: Context, a: string, b: string): boolean {
  const [one, other] = [disk.stat(a), disk.stat(b)];
  return one !== undefined && one.device === other?.device && one.inode === other.inode;
}

function requireBehind(parameters: Parameters, { 'hash-offset': offset }: Settings): void {
  const { dataBlocks, dataBlockSize } = parameters;
  const end = dataBlocks * dataBlockSize;
  if (offset >= end) return;
  const fitting = Math.floor(offset / dataBlockSize);
  throw new EspError(
    'CONFIG_INVALID',
    `--hash-offset: expected at least ${end}, where the data end in the same file, got ${offset}`,
    { hint: `cover fewer blocks with --data-blocks, here at most ${fitting}` },
  );
}

/** A file can grow. A device cannot, so the hash area must fit. */
function requireRoom(hash: RawFile, path: string, end: number): void {
  if (!hash.isDevice || hash.size >= end) return;
  throw misuse(`${path}: expected a device of at least ${end} bytes, got ${hash.size}`, VERB);
}

async function writeHashArea(
  hash: RawFile,
  data: BlockSource,
  parameters: Parameters,
  { uuid, seed, 'hash-offset': offset }: Settings,
  labour: Labour,
): Promise<Required<Header>> {
  const { levels, end } = hashArea(parameters, offset);
  // Nothing is stored between the superblock and the tree, and no old bytes are to stay there.
  const tree = Math.min(...levels.map((level) => level.offset), end);
  hash.writeAt(offset, new Uint8Array(tree - offset));
  if (hash.size < end) hash.writeAt(end - 1, new Uint8Array(1));
  const writes = hashTree(parameters, offset, dataDigests(data, parameters, labour));
  let step = await writes.next();
  for (; !step.done; step = await writes.next()) hash.writeAt(step.value.offset, step.value.bytes);
  const rootHash = step.value;
  const superblock = { ...parameters, uuid: uuid ?? superblockUuidFrom(seed ?? rootHash) };
  hash.writeAt(offset, formatSuperblock(superblock));
  // SAFETY: as for the cut: until its root hash is told, nothing boots by this area.
  hash.sync();
  return { superblock, offset, rootHash };
}
