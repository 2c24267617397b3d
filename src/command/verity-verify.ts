/** `verity verify`: tells whether data, hash area and root hash belong together. */
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { Context } from '../context.ts';
import { openBytes } from '../disk/raw-file.ts';
import { EXIT_WARNINGS } from '../error.ts';
import { misuse, readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { digestSize } from '../verity/algorithm.ts';
import { checkAll } from '../verity/check.ts';
import { describeFinding } from '../verity/finding.ts';
import { readSuperblock, type Superblock } from '../verity/superblock.ts';
import { requireCovered, tailWarning } from '../verity/tail.ts';
import { verifySchema } from './verity-settings.ts';

const VERB = 'verity verify';

/** Status when something is corrupt. */
const EXIT_CORRUPT = 1;

/** In bytes. The longest digest in hexadecimal is far shorter. */
const ROOT_HASH_LIMIT = 1024;

/**
 * Reads all of DATA and of the hash area in HASH. Names the first block that differs from what the
 * root hash says.
 * @throws {VERITY_MALFORMED} when HASH has no superblock
 * @throws {CONFIG_INVALID} when there is no root hash, or one of another length
 */
export async function verityVerify(
  { operands: [dataPath = '', hashPath = '', rootHashText], flags, json, verbosity }: Invocation,
  context: Context,
): Promise<number> {
  const { disk, machine, print, progress } = context;
  const settings = readFlags(verifySchema, flags, VERB);
  const offset = settings['hash-offset'];
  const file = settings['root-hash-file'];
  if ((rootHashText === undefined) === (file === undefined)) {
    throw misuse('expected a root hash, or --root-hash-file, and not both', VERB);
  }
  const text =
    rootHashText ?? new TextDecoder().decode(disk.read(file ?? '', ROOT_HASH_LIMIT)).trim();
  using data = openBytes(dataPath, context);
  using hash = openBytes(hashPath, context);
  const parameters = readSuperblock(hash, offset, hashPath);
  const rootHash = readRootHash(text, parameters);
  progress?.begin(`checking ${dataPath}`, {
    bytes: parameters.dataBlocks * parameters.dataBlockSize,
  });
  const labour = {
    ...{ name: dataPath, thread: { machine, path: disk.hostPath(dataPath) } },
    ...(progress && { onHashed: progress.advance }),
  };
  const finding = await checkAll({ data, hash, parameters, offset }, rootHash, labour);
  const document = { version: 1, verb: VERB, rootHash: bytesToHex(rootHash), finding };
  print(
    json ? JSON.stringify(document, undefined, 2) : describeFinding(finding, dataPath, hashPath),
  );
  const tail = tailWarning(data, parameters, dataPath);
  requireCovered(tail, settings.strict);
  for (const warning of tail) (await import('../terminal/log.ts')).openLog(verbosity).warn(warning);
  if (finding.kind !== 'intact') return EXIT_CORRUPT;
  return tail.length > 0 ? EXIT_WARNINGS : 0;
}

function readRootHash(text: string, { algorithm }: Superblock): Uint8Array {
  const size = digestSize(algorithm);
  if (new RegExp(`^[0-9a-f]{${size * 2}}$`, 'i').test(text)) return hexToBytes(text);
  throw misuse(
    `root hash: expected ${size * 2} hexadecimal digits for ${algorithm}, got ${text.length}`,
    VERB,
  );
}
