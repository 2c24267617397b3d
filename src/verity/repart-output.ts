/** Reads root hashes from `systemd-repart --json`, over one or several runs on the same image. */
import * as v from 'valibot';
import { EspError } from '../error.ts';
import { type Designator, parsePartitionType } from '../gpt/partition-type.ts';
import { parseDocument } from './document.ts';
import { isRootHash, partitionUuids, type RootHash } from './root-hash.ts';
import { parseUuid } from './uuid.ts';

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

/** A partition that nothing finds by the root hash of its group. UUIDs as text, in lower case. */
export interface Misnamed {
  readonly designator: Designator;
  readonly content: 'data' | 'hash';
  /** The root hash. */
  readonly hex: string;
  /** The half of the root hash that the system looks for. */
  readonly expected: string;
  readonly got: string;
}

/**
 * Returns the partitions whose UUIDs are not the halves of their root hash, as when a definition has a
 * `UUID=` of its own: a system that gets nothing but the root hash waits for them for ever
 * (systemd-veritysetup-generator(8)).
 * @throws {VERITY_MALFORMED} when a text is not output of systemd-repart
 */
export function misnamedPartitions(runs: readonly NamedText[]): readonly Misnamed[] {
  const known = rootHashesOfRepart(runs);
  const all = runs.flatMap(({ name, text }) => parseDocument(rows, text, name));
  const found = all.flatMap(({ type: typeText, uuid, roothash }): Misnamed[] => {
    const type = parsePartitionType(typeText);
    if (type === undefined || type.content === 'verity-sig') return [];
    const got = uuid?.toLowerCase() ?? '';
    // Older versions of systemd say the root hash only on the partition with the hash tree.
    const own = isRootHash(roothash ?? '') ? roothash?.toLowerCase() : onlyOne(known, type);
    if (own === undefined || parseUuid(got) === undefined) return [];
    const content = type.content === 'data' ? 'data' : 'hash';
    const expected = partitionUuids(own)[content];
    const { designator } = type;
    return expected === got ? [] : [{ designator, content, hex: own, expected, got }];
  });
  return [...new Map(found.map((each) => [Object.values(each).join(' '), each])).values()];
}

function onlyOne(
  known: readonly RootHash[],
  type: { readonly designator: Designator; readonly architecture: string },
): string | undefined {
  const [first, ...others] = known.filter(
    ({ designator, architecture }) =>
      designator === type.designator && architecture === type.architecture,
  );
  return others.length > 0 ? undefined : first?.hex;
}

/** Returns such a partition as one line. */
export function describeMisnamed({ designator, content, expected, got }: Misnamed): string {
  const what = content === 'data' ? designator : `${designator} hash tree`;
  return `expected PARTUUID ${expected} of the ${what} partition, as ${designator}hash= says, got ${got}: the boot would wait for it for ever`;
}
