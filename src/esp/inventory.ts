/** What lies on an ESP, as values: files by name, size and header. Everything here is untrusted. */
import type { ExtraFile, ExtraManifest } from './extra-manifest.ts';
import type { BlobName, BootCounter, EntryName, EspPath } from './layout.ts';
import type { TemporaryFile } from './temporaries.ts';

/** A content-addressed file of ours. Sizes in bytes. */
export interface BlobFile {
  readonly path: EspPath;
  readonly size: number;
  readonly name: BlobName;
  /** Why the file cannot be what its name says, as far as its header tells. */
  readonly damage?: string;
}

/** A boot entry, ours or another's. */
export interface EntryFile {
  readonly path: EspPath;
  readonly size: number;
  /** File name without a boot counter: what systemd-boot and `bootctl` call the entry. */
  readonly id: string;
  /** Absent when the entry is not counted. */
  readonly counter?: BootCounter;
  /** Absent for an entry that is not ours. */
  readonly name?: EntryName;
  /** Of an entry that was taken over from another tool: the number of its generation, or 0. */
  readonly adopted?: number;
  /** Files on the ESP without which this entry does not boot. */
  readonly references: readonly EspPath[];
  /** Those of them, of an entry of ours, that are there and have no name of ours. */
  readonly outside?: readonly EspPath[];
  /** The command line, where it could be read. */
  readonly cmdline: string;
  readonly title?: string;
  readonly version?: string;
  readonly sortKey?: string;
  /** Name and VirtualSize in bytes of each section, of an image. */
  readonly sections?: readonly { readonly name: string; readonly size: number }[];
  readonly damage?: string;
}

/** A file that was taken over from another tool and is no entry. Size in bytes. */
export interface StrayFile {
  readonly path: EspPath;
  readonly size: number;
}

/** Space of one volume. Sizes in bytes. */
export interface Space {
  readonly clusterSize: number;
  readonly free: number;
  readonly total: number;
}

/** Everything on an ESP that a plan needs to know. Sizes in bytes. */
export interface Inventory extends Space {
  readonly blobs: readonly BlobFile[];
  readonly entries: readonly EntryFile[];
  /** Absent when nothing was taken over. */
  readonly strays?: readonly StrayFile[];
  /** Lists of extra files; absent when there was none. */
  readonly manifests?: readonly ExtraManifest[];
  /** The extra files that are ours, once that is decided. */
  readonly extras?: readonly ExtraFile[];
  /** Files by which a tool that is replaced says that another file, `of`, is its own. */
  readonly marks?: readonly (StrayFile & { readonly of: EspPath })[];
  readonly temporaries: readonly TemporaryFile[];
  readonly loaderConf: Uint8Array | undefined;
  /** What a run left that did not get to the end of replacing a foreign loader.conf. */
  readonly keptSettings?: Uint8Array | undefined;
  /** Trimmed content of `loader/entries.srel`, unless that is empty. */
  readonly layout: string | undefined;
  /** How many entries of others were not read, because there are too many. */
  readonly unread?: number;
  /** Those directories we may need that exist. */
  readonly directories: ReadonlySet<EspPath>;
  /** Directories in those, beside them: a file of ours cannot take the name of one. Absent when there are none. */
  readonly subdirectories?: readonly EspPath[];
  /** Space of the ESP, where entries and what they name are on another volume. */
  readonly espSpace?: Space;
}
