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
    if (other !== undefined) {
      throw new EspError('CONFIG_INVALID', `${other} and ${name}: both are the ${key}`);
    }
    seen.set(key, name);
  }
  for (const { name, verity } of definitions) {
    if (verity === undefined) continue;
    const lacking = (['data', 'hash'] as const).find(
      (role) => partOf(verity.group, role, definitions) === undefined,
    );
    if (lacking === undefined) continue;
    throw new EspError(
      'CONFIG_INVALID',
      `${name}: verity group ${verity.group} has no ${lacking} partition`,
      {
        hint: 'a group is the partition with the data and the one with their hash tree',
      },
    );
  }
}
