/** What lies in a partition, by the magic numbers of file systems. Untrusted bytes. */
import type { ByteSource } from '../byte-source.ts';
import { formatUuid } from '../verity/uuid.ts';

/** What a partition holds. */
export interface Probed {
  /** As blkid(8) calls it: `ext4`, `vfat`, `DM_verity_hash`. */
  readonly type: string;
  readonly label?: string;
  readonly uuid?: string;
}

/** Where something stands: bytes from the beginning, and how many. */
type Place = readonly [offset: number, length: number];

interface Kind {
  readonly type: string;
  readonly magic: readonly [offset: number, bytes: string];
  readonly label?: Place;
  readonly uuid?: Place;
}

const KINDS: readonly Kind[] = [
  { type: 'ext4', magic: [1080, '\x53\xef'], uuid: [1128, 16], label: [1144, 16] },
  { type: 'erofs', magic: [1024, '\xe2\xe1\xf5\xe0'], uuid: [1072, 16], label: [1088, 16] },
  { type: 'squashfs', magic: [0, 'hsqs'] },
  { type: 'btrfs', magic: [65_600, '_BHRfS_M'], uuid: [65_568, 16], label: [65_835, 256] },
  { type: 'xfs', magic: [0, 'XFSB'], uuid: [32, 16], label: [108, 12] },
  { type: 'swap', magic: [4086, 'SWAPSPACE2'], uuid: [1036, 16], label: [1052, 16] },
  { type: 'crypto_LUKS', magic: [0, 'LUKS\xba\xbe'] },
  { type: 'DM_verity_hash', magic: [0, 'verity\0\0'], uuid: [16, 16] },
  { type: 'f2fs', magic: [1024, '\x10\x20\xf5\xf2'] },
  { type: 'iso9660', magic: [32_769, 'CD001'], label: [32_808, 32] },
];

/** FAT says what it is in a text, whose place depends on its kind. */
const FATS: readonly { readonly type: string; readonly at: number; readonly id: number }[] = [
  { type: 'FAT32   ', at: 82, id: 67 },
  { type: 'FAT16   ', at: 54, id: 39 },
  { type: 'FAT12   ', at: 54, id: 39 },
];
const NO_LABEL = 'NO NAME';

/** Returns what a partition holds, or undefined when nothing is known of it. */
export function probe(partition: ByteSource): Probed | undefined {
  const fat = probeFat(partition);
  if (fat !== undefined) return fat;
  const kind = KINDS.find(
    ({ magic: [offset, bytes] }) => textAt(partition, [offset, bytes.length]) === bytes,
  );
  if (kind === undefined) return undefined;
  const label = kind.label && labelAt(partition, kind.label);
  const uuid = kind.uuid && partition.read(...kind.uuid);
  return {
    type: kind.type,
    ...(label && { label }),
    ...(uuid?.length === 16 && { uuid: formatUuid(Uint8Array.from(uuid)) }),
  };
}

function probeFat(partition: ByteSource): Probed | undefined {
  const fat = FATS.find(({ type, at }) => textAt(partition, [at, type.length]) === type);
  if (fat === undefined || textAt(partition, [510, 2]) !== '\x55\xaa') return undefined;
  const label = labelAt(partition, [fat.id + 4, 11])?.trimEnd();
  const id = [...partition.read(fat.id, 4)].toReversed();
  const [high, low] = [id.slice(0, 2), id.slice(2)].map((bytes) =>
    Buffer.from(bytes).toString('hex'),
  );
  return {
    type: 'vfat',
    ...(label && label !== NO_LABEL && { label }),
    uuid: `${high}-${low}`.toUpperCase(),
  };
}

function textAt(partition: ByteSource, [offset, length]: Place): string {
  return String.fromCharCode(...partition.read(offset, length));
}

function labelAt(partition: ByteSource, place: Place): string | undefined {
  const [text = ''] = new TextDecoder().decode(partition.read(...place)).split('\0', 1);
  return text.trimEnd() || undefined;
}
