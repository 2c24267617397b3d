/** What keeps an initrd from being read to its end. */

/**
 * Why reading ended early. `damaged`: the kernel gets no further either. `refused`: it is whole, and the
 * kernel takes no such thing. `unreadable`: the kernel may take it, and we cannot look into it.
 */
type ObstacleKind = 'damaged' | 'refused' | 'unreadable';

/** Where reading ended. Offsets are in bytes. */
export interface Obstacle {
  readonly kind: ObstacleKind;
  /** Where the archive begins in which it lies. */
  readonly offset: number;
  /** How the archive is packed, as `cpio`, `gzip` or `zstd`. */
  readonly format: string;
  /** How far it was read: in the file for `cpio`, else in what was unpacked. */
  readonly position: number;
  readonly reason: string;
}

/** An {@link Obstacle} on its way to where its place is known. Never leaves the room. */
export class Obstruction extends Error {
  override readonly name = 'Obstruction';
  readonly kind: ObstacleKind;

  constructor(kind: ObstacleKind, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** Returns the error of bytes that are not what they should be. */
export function damaged(reason: string, cause?: unknown): Obstruction {
  return new Obstruction('damaged', reason, cause);
}
