/** One partition of an image, as a definition declares it, whatever language the definition is in. */
import type { Guid } from '../guid.ts';
import type { Contents } from '../tree/contents.ts';

/** Of a size or a padding: bounds in bytes, and the share of what is left over. */
export interface Extent {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly weight: number;
}

/** What a partition is in a group of dm-verity. */
export interface VerityPart {
  readonly role: 'data' | 'hash' | 'signature';
  /** What the parts of a group have in common. */
  readonly group: string;
  /** Of data: their hash tree lies behind them, in the same partition. */
  readonly isBehind?: boolean | undefined;
  /** How many blocks are covered; all of the data without it. Given on the partition that has the hash tree. */
  readonly dataBlocks?: number | undefined;
  /** In bytes; given on the same partition. */
  readonly dataBlockSize?: number | undefined;
  readonly hashBlockSize?: number | undefined;
}

/** A partition to make. */
export interface PartitionDefinition {
  /** How messages call it: the definition's file, or its place in the description. */
  readonly name: string;
  /** Files of systemd-repart: the definition and what is dropped in. */
  readonly file?: string | undefined;
  readonly dropIns: readonly string[];
  readonly type: Guid;
  /** At most 36 characters; without one, the name of the type. */
  readonly label?: string | undefined;
  readonly uuid?: Guid | undefined;
  readonly format?: string | undefined;
  readonly contents: readonly Contents[];
  /** A file whose bytes are the partition's. */
  readonly copyBlocks?: string | undefined;
  readonly size: Extent;
  readonly padding: Extent;
  /** Bytes that come into it besides its contents, as far as anybody knows beforehand. */
  readonly besides?: number | undefined;
  /** Whether the partition is as small as its content can be. */
  readonly isMinimal: boolean;
  readonly verity?: VerityPart | undefined;
  readonly attributes: bigint;
  /** Whether the MBR has it too, for programs without GPT. */
  readonly isInMbr?: boolean | undefined;
  /** The last part of the name of the partition's own file; undefined where it gets none. */
  readonly splitName: string | undefined;
  readonly compression?: string | undefined;
  readonly compressionLevel?: number | undefined;
}
