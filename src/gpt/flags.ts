/** Attributes of a partition by name (UEFI §5.3.3; Discoverable Partitions Specification §Flags). */

/** The bit of each attribute. */
export const FLAGS = {
  required: 0n,
  'no-block-io-protocol': 1n,
  'legacy-bios-bootable': 2n,
  'grow-file-system': 59n,
  'read-only': 60n,
  'no-auto': 63n,
} as const;

export type Flag = keyof typeof FLAGS;

/** Returns the attributes in which these bits are set. */
export function attributesOf(flags: readonly Flag[]): bigint {
  return flags.reduce((attributes, flag) => attributes | (1n << FLAGS[flag]), 0n);
}

/** Returns which attributes are set, by name; a bit without a name is `bit N`. */
export function flagsIn(attributes: bigint): readonly string[] {
  const names = new Map<bigint, string>(Object.entries(FLAGS).map(([name, bit]) => [bit, name]));
  return Array.from({ length: 64 }, (_, bit) => BigInt(bit))
    .filter((bit) => (attributes >> bit) & 1n)
    .map((bit) => names.get(bit) ?? `bit ${bit}`);
}
