/** Groups of dm-verity among the partitions of an image: data, hash tree and signature. */
import { EspError } from '../error.ts';
import type { PartitionDefinition, VerityPart } from './definition.ts';

/** Returns the partition of a group that has a role. */
function partOf(
  group: string,
  role: VerityPart['role'],
  definitions: readonly PartitionDefinition[],
): PartitionDefinition | undefined {
  return definitions.find(({ verity }) => verity?.group === group && verity.role === role);
}

/** Returns the partition with the hash tree of this one's data, if it has data and such a partition. */
export function hashPartitionOf(
  { verity }: PartitionDefinition,
  definitions: readonly PartitionDefinition[],
): PartitionDefinition | undefined {
  return verity?.role === 'data' ? partOf(verity.group, 'hash', definitions) : undefined;
}

/** Returns the name of the group that a partition belongs to. */
export function groupOf({ verity }: PartitionDefinition): string | undefined {
  return verity?.group;
}

/**
 * Refuses a group with two partitions of one role, and one without data or hash tree.
 * @throws {CONFIG_INVALID}
 */
export function requireWholeGroups(definitions: readonly PartitionDefinition[]): void {
  const seen = new Map<string, string>();
  for (const { name, verity } of definitions) {
    if (verity === undefined) continue;
    const key = `${verity.role} of ${verity.group}`;
    const other = seen.get(key);
    if (other !== undefined) throw invalid(`${other} and ${name}: both are the ${key}`);
    seen.set(key, name);
    requireTree(name, verity.group, definitions);
  }
}

/** The hash tree of a group is in a partition of its own, or behind the data. */
function requireTree(
  name: string,
  group: string,
  definitions: readonly PartitionDefinition[],
): void {
  const data = partOf(group, 'data', definitions);
  const hash = partOf(group, 'hash', definitions);
  const isBehind = data?.verity?.isBehind === true;
  if (data !== undefined && (hash !== undefined) !== isBehind) return;
  if (isBehind) {
    throw invalid(
      `${data.name} and ${hash?.name}: the hash tree of ${group} is behind the data, or in a partition of its own`,
    );
  }
  const lacking = data === undefined ? 'data' : 'hash';
  throw invalid(
    `${name}: verity group ${group} has no ${lacking} partition`,
    'a group is the partition with the data and the one with their hash tree',
  );
}

function invalid(message: string, hint?: string): EspError {
  return new EspError('CONFIG_INVALID', message, { hint });
}
