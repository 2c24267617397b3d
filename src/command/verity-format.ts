/** `verity format`: writes the hash area of data and prints its root hash. */
import { bytesToHex } from '@noble/hashes/utils.js';
import type * as v from 'valibot';
import type { Context } from '../context.ts';
import { openBytes, openRaw } from '../disk/raw-file.ts';
import { EspError } from '../error.ts';
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
import { formatSchema } from './verity-settings.ts';

const VERB = 'verity format';

type Settings = v.InferOutput<typeof formatSchema>;

/**
 * Writes the hash area of DATA into HASH. It makes HASH longer if needed, and keeps what lies
 * beside the area. The same data and flags give the same bytes.
 * @throws {CONFIG_INVALID} for wrong flags, and when the hash area would overlap the data
 * @throws {FILE_MISSING} when DATA is not there
 */
export async function verityFormat(
  { operands: [dataPath = '', hashPath = ''], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, machine, print } = context;
  const settings = readFlags(formatSchema, flags, VERB);
  using data = openBytes(dataPath, context);
  const parameters = parametersOf(settings, dataPath, data.size);
  if (isSameFile(context, dataPath, hashPath)) requireBehind(parameters, settings);
  const isNew = disk.stat(hashPath) === undefined;
  using hash = openRaw(hashPath, 'write', context);
  try {
    requireRoom(hash, hashPath, hashArea(parameters, settings['hash-offset']).end);
    const labour = { name: dataPath, thread: { machine, path: disk.hostPath(dataPath) } };
    const header = await writeHashArea(hash, data, parameters, settings, labour);
    const file = settings['root-hash-file'];
    if (file !== undefined) await disk.replaceText(file, bytesToHex(header.rootHash), 'everyone');
    const document = { version: 1, verb: VERB, ...headerDocument(header) };
    print(json ? JSON.stringify(document, undefined, 2) : formatHeader(header, hashPath));
    return 0;
  } catch (error) {
    // SAFETY: an unfinished hash area is of no use, and this file did not exist before. Nothing
    // boots by it.
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
  const { end } = hashArea(parameters, offset);
  if (hash.size < end) hash.writeAt(end - 1, new Uint8Array(1));
  const tree = hashTree(parameters, offset, dataDigests(data, parameters, labour));
  let step = await tree.next();
  for (; !step.done; step = await tree.next()) hash.writeAt(step.value.offset, step.value.bytes);
  const rootHash = step.value;
  const superblock = { ...parameters, uuid: uuid ?? superblockUuidFrom(seed ?? rootHash) };
  hash.writeAt(offset, formatSuperblock(superblock));
  hash.sync();
  return { superblock, offset, rootHash };
}
