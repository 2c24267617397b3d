/** Reads root hashes from `systemd-repart --json`, over one or several runs on the same image. */
import * as v from 'valibot';
import { EspError } from '../error.ts';
import { parsePartitionType } from '../gpt/partition-type.ts';
import { parseDocument } from './document.ts';
import { isRootHash, type RootHash } from './root-hash.ts';

/** A text, and the name of its file. */
export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** The value of a root hash that is not known yet, as when another run fills the partition. */
const UNKNOWN = 'TBD';

const rows = v.array(
  v.object({
    type: v.string('expected the type of a partition'),
    uuid: v.optional(v.string()),
    roothash: v.nullish(
      v.pipe(
        v.string(),
        v.check(
          (text) => text === UNKNOWN || isRootHash(text),
          `expected a root hash or ${UNKNOWN}`,
        ),
      ),
    ),
  }),
);

/**
 * Returns each root hash once. One partition, by its UUID, must have the same hash in every run
 * that has one. Older versions of systemd name the hash only on the partition with the hash tree.
 * @throws {VERITY_MALFORMED} when a text is no such output, or when runs contradict each other
 */
export function rootHashesOfRepart(runs: readonly NamedText[]): readonly RootHash[] {
  const byPartition = new Map<string, string>();
  const found = new Map<string, RootHash>();
  for (const { name, text } of runs) {
    for (const { uuid, rootHash } of knownRows(text, name)) {
      requireSame(byPartition, uuid, rootHash.hex, name);
      found.set(Object.values(rootHash).join(' '), rootHash);
    }
  }
  return [...found.values()];
}

/** Returns the rows that tell the root hash of a verity group. */
function knownRows(text: string, name: string) {
  return parseDocument(rows, text, name).flatMap(({ type: typeText, uuid, roothash }) => {
    const type = parsePartitionType(typeText);
    if (type === undefined || roothash == null || roothash === UNKNOWN) return [];
    const { designator, architecture } = type;
    const rootHash: RootHash = { hex: roothash.toLowerCase(), designator, architecture };
    return [{ uuid, rootHash }];
  });
}

function requireSame(
  before: Map<string, string>,
  uuid: string | undefined,
  hex: string,
  name: string,
): void {
  if (uuid === undefined) return;
  const expected = before.get(uuid) ?? hex;
  before.set(uuid, hex);
  if (expected === hex) return;
  throw new EspError(
    'VERITY_MALFORMED',
    `${name}: partition ${uuid}: expected root hash ${expected} as before, got ${hex}`,
    { hint: 'these runs were not on the same image' },
  );
}
