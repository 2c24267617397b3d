/** What keeps an initrd from being read to its end. */

/**
 * Why reading ended early. `damaged`: the kernel gets no further either. `refused`: the data is
 * whole, but the kernel does not accept it. `unreadable`: the kernel may accept it, but this
 * program cannot read it.
 */
type ObstacleKind = 'damaged' | 'refused' | 'unreadable';

/** Where reading ended. Offsets are in bytes. */
export interface Obstacle {
  readonly kind: ObstacleKind;
  /** Where the archive with the obstacle begins. */
  readonly offset: number;
  /** How the archive is packed, as `cpio`, `gzip` or `zstd`. */
  readonly format: string;
  /** How far it was read: in the file for `cpio`, otherwise in the unpacked bytes. */
  readonly position: number;
  readonly reason: string;
}

/** An {@link Obstacle} whose place is not known yet. It is caught inside this room. */
export class Obstruction extends Error {
  override readonly name = 'Obstruction';
  readonly kind: ObstacleKind;

  constructor(kind: ObstacleKind, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** Returns the error for bytes that are malformed. */
export function damaged(reason: string, cause?: unknown): Obstruction {
  return new Obstruction('damaged', reason, cause);
}
