/** What a file system shall be like, and where it goes. */
import type { WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Environment, Machine, RawFile } from '../process/machine.ts';
import type { Tree } from '../tree/tree.ts';

/** What a file system holds, and what it says of itself. */
export interface Request {
  readonly tree: Tree;
  readonly label: string;
  /** As text. */
  readonly uuid: string;
  /** What else would be random: sixteen bytes, in the text of a UUID. */
  readonly hashSeed: string;
  /** When it was made, in seconds since the epoch. */
  readonly time: number;
  /** Bytes to leave free beside the tree, where a file system can be written to. */
  readonly spare: number;
  /** The algorithm and its level, where one is asked for. */
  readonly compression?: { readonly algorithm: string; readonly level?: number | undefined };
}

/** Where it goes: a region of a file that is open, and whose absolute path in the running system is `path`. */
export interface Region {
  readonly path: string;
  readonly file: RawFile;
  /** In bytes, a multiple of 4096. */
  readonly offset: number;
  /** In bytes. Undefined where only the program knows how much it takes: then nothing follows. */
  readonly size: number | undefined;
}

/** What makes file systems. */
export interface Workshop {
  readonly disk: WritableDisk;
  readonly machine: Machine;
  readonly environment: Environment;
  /** A directory for what programs can only read as files. */
  readonly scratch: string;
}

/** What is known before a byte is written. */
export interface Plan {
  /** In bytes; undefined where only the program knows. */
  readonly size: number | undefined;
  /**
   * `in-place`: it can be made at its offset of the image. `beside`: only at the beginning of a file
   * of its own, from where it is copied.
   */
  readonly place: 'in-place' | 'beside';
  /** The program and its version, or {@link OWN}. */
  readonly by: string;
  /** Why the same request gives other bytes each time, where it does. */
  readonly unsteady?: string;
}

/** Who makes what needs no program: {@link Plan.by}. */
export const OWN = 'espalier';

/**
 * Refuses times that a kind of file system cannot have: its program would write others.
 * @param latest in seconds since the epoch
 * @throws {CONFIG_INVALID}
 */
export function requireTimes({ tree, time }: Request, latest: number, format: string): void {
  const given = tree.values().reduce((max, { modified }) => Math.max(max, modified), time);
  if (given <= latest) return;
  throw new EspError(
    'CONFIG_INVALID',
    `time ${given}: expected at most ${latest} for ${format}, in seconds since 1970`,
    { hint: 'give an earlier source-date-epoch' },
  );
}

/** How one kind of file system is made. */
export interface Maker {
  /**
   * Looks for the program, and says what is known before.
   * @throws {TOOL_MISSING} when it is not there, or too old for the request
   * @throws {CONFIG_INVALID} when this kind of file system cannot be as asked
   */
  plan(request: Request, workshop: Workshop): Plan;
  /**
   * Makes the file system. The region holds zeros.
   * @returns its size in bytes
   * @throws {TOOL_FAILED} with the program's last messages
   * @throws {IMAGE_FULL} when the region is too small
   */
  make(request: Request, region: Region, workshop: Workshop): Promise<number>;
}
