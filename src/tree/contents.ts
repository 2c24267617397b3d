/** What a tree is made from: declarations, each with a source, a target and how it arrives. */

import type { Xattr } from './node.ts';

/** Owner and mode that a declaration gives; what it does not give comes from the source, or is root's. */
export interface Ownership {
  /** Permission bits of files. A directory may also be searched by whom it lets read. */
  readonly mode?: number;
  /** A number, or a name of the tree's own `/etc/passwd`. */
  readonly user?: string;
  /** A number, or a name of the tree's own `/etc/group`. */
  readonly group?: string;
}

/** One declaration. Sources are paths of the disk, targets paths of the tree. */
export type Contents =
  /**
   * A file or directory. A source with `*`, `?`, `[` or `{` is a pattern, whose matches go into the
   * directory `target`. `exclude` has patterns of paths below the source; with a slash at its end,
   * one leaves the directory and takes away what is in it. `xattrs` has patterns of the names of
   * extended attributes that come along, as `security.capability`.
   */
  | ({
      readonly kind: 'copy';
      readonly source: string;
      readonly target: string;
      readonly exclude?: readonly string[];
      readonly xattrs?: readonly string[];
    } & Ownership)
  /** Everything in a tar file (ustar, GNU, pax), unpacked below `target` with its own owners and modes. */
  | { readonly kind: 'tar'; readonly source: string; readonly target: string }
  /** A file with this content. */
  | ({ readonly kind: 'text'; readonly target: string; readonly text: string } & Ownership)
  /** A directory, and those above it. */
  | ({ readonly kind: 'directory'; readonly target: string } & Ownership)
  /** A symbolic link. */
  | { readonly kind: 'link'; readonly target: string; readonly to: string }
  /**
   * Store paths that a file lists, each to its own place; `registration` is what the Nix database is
   * loaded from and goes to `/nix-path-registration`. With `database` whoever makes the tree has the
   * database made as well.
   */
  | {
      readonly kind: 'closure';
      readonly list: string;
      readonly registration?: string;
      readonly database?: boolean;
      /** The directory that gets the store paths; without it each has its own place. */
      readonly target?: string;
    };

/** Returns the extended attributes of a file, and of all below a directory, by path. */
export type ReadXattrs = (source: string) => ReadonlyMap<string, readonly Xattr[]>;

/** How what declarations name is read. */
export interface TreeReading {
  /** Reads extended attributes, where declarations ask for them. */
  readonly readXattrs?: ReadXattrs | undefined;
  /** Throws for a file that may not come into this tree. */
  readonly requireTrusted?: ((path: string) => void) | undefined;
}

/** What holds for a whole tree. */
export interface TreeSettings {
  /** The one time of everything, in seconds since the epoch; `kept`: each source has its own. */
  readonly time: number | 'kept';
  /** Whether what is copied from a directory is root's, or whose it is there. */
  readonly owners: 'root' | 'kept';
  /** Whether two names of one file in a source become two files. */
  readonly hardLinks: 'broken' | 'kept';
}

/** The same bytes whoever builds, wherever and when. The time is that of Nix's stores. */
export const STEADY: TreeSettings = { time: 1, owners: 'root', hardLinks: 'broken' };
