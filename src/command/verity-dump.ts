/** `verity dump`: prints the superblock of a hash area. */

import type { Context } from '../context.ts';
import { openBytes } from '../disk/raw-file.ts';
import { readFlags } from '../settings/flags.ts';
import type { Invocation } from '../settings/invocation.ts';
import { formatHeader, headerDocument } from '../verity/header-text.ts';
import { readSuperblock } from '../verity/superblock.ts';
import { dumpSchema } from './verity-settings.ts';

/**
 * Prints the superblock in HASH.
 * @throws {VERITY_MALFORMED} when there is none
 */
export async function verityDump(
  { operands: [path = ''], flags, json }: Invocation,
  context: Context,
): Promise<number> {
  const { 'hash-offset': offset } = readFlags(dumpSchema, flags, 'verity dump');
  using hash = openBytes(path, context);
  const header = { superblock: readSuperblock(hash, offset, path), offset };
  const document = { version: 1, verb: 'verity dump', ...headerDocument(header) };
  context.print(json ? JSON.stringify(document, undefined, 2) : formatHeader(header, path));
  return 0;
}
