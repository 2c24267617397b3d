/** What lies on an ESP, as values: files by name, size and header. Everything here is untrusted. */
import type { Companion } from './companions.ts';
import type { ExtraFile, ExtraManifest } from './extra-manifest.ts';
import type { BlobName, BootCounter, EntryName, EspPath } from './layout.ts';
import type { Pointer } from './shared-entry.ts';
import type { TemporaryFile } from './temporaries.ts';

/** A content-addressed file of ours. Sizes in bytes. */
export interface BlobFile {
  readonly path: EspPath;
  readonly size: number;
  readonly name: BlobName;
  /** For an image: the ID of each of its profiles, by number; empty for one without. */
  readonly profiles?: readonly string[];
  /** For an image: name and VirtualSize in bytes of each section. */
  readonly sections?: readonly { readonly name: string; readonly size: number }[];
  /** Why the file's header contradicts its name. */
  readonly damage?: string;
  /** Why firmware of this machine would not start it, whoever's it is. */
  readonly fault?: string;
  /** Why firmware would refuse it although it is whole: it lacks the signature that it should have. */
  readonly unsigned?: string;
  /** Why firmware refuses it although it is whole and signed: nothing that is written here helps. */
  readonly banned?: string;
  /** Why a TPM opens nothing for it although it boots: it lacks a policy that it should have. */
  readonly unauthorised?: string;
}

/** A boot entry, ours or foreign. */
export interface EntryFile {
  readonly path: EspPath;
  readonly size: number;
  /** File name without a boot counter: what systemd-boot and `bootctl` call the entry. */
  readonly id: string;
  /** Absent when the entry has no boot counter. */
  readonly counter?: BootCounter;
  /** Absent for a foreign entry. */
  readonly name?: EntryName;
  /** Of an entry that has a name as ours have, and is another machine's. */
  readonly isNeighbour?: boolean;
  /** Of an entry that was taken over from another tool: the number of its generation, or 0. */
  readonly adopted?: number;
  /** Files on the ESP without which this entry does not boot. */
  readonly references: readonly EspPath[];
  /** For an entry of ours: the references that exist and are not under a name of ours. */
  readonly outside?: readonly EspPath[];
  /** For an entry of ours that boots a part of an image: which part, as its text says. */
  readonly pointer?: Pointer;
  /** The command line, if it could be read. */
  readonly cmdline: string;
  readonly title?: string;
  readonly version?: string;
  readonly sortKey?: string;
  /** For an image: name and VirtualSize in bytes of each section. */
  readonly sections?: readonly { readonly name: string; readonly size: number }[];
  readonly damage?: string;
  /** Why firmware of this machine would not start it, whoever's it is. */
  readonly fault?: string;
  /** Why firmware would refuse it although it is whole: it lacks the signature that it should have. */
  readonly unsigned?: string;
  /** Why firmware refuses it although it is whole and signed: nothing that is written here helps. */
  readonly banned?: string;
  /** Why a TPM opens nothing for it although it boots: it lacks a policy that it should have. */
  readonly unauthorised?: string;
}

/** A file that was taken over from another tool, and is no entry. Size in bytes. */
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

/** Everything on an ESP that a plan depends on. Sizes in bytes. */
export interface Inventory extends Space {
  readonly blobs: readonly BlobFile[];
  readonly entries: readonly EntryFile[];
  /** Absent when nothing was taken over. */
  readonly strays?: readonly StrayFile[];
  /** Lists of extra files; absent when there was none. */
  readonly manifests?: readonly ExtraManifest[];
  /** The extra files that are ours, once that is known. */
  readonly extras?: readonly ExtraFile[];
  /** Files by which a replaced tool marks another file, `of`, as its own. */
  readonly marks?: readonly (StrayFile & { readonly of: EspPath })[];
  readonly temporaries: readonly TemporaryFile[];
  /** What is added to images that boot, and is not ours; absent when there is nothing. */
  readonly companions?: readonly Companion[];
  readonly loaderConf: Uint8Array | undefined;
  /** Settings that a run kept and left behind: it died while replacing a foreign loader.conf. */
  readonly keptSettings?: Uint8Array | undefined;
  /** Trimmed content of `loader/entries.srel`, unless it is empty. */
  readonly layout: string | undefined;
  /** Why that file says nothing, where it is there. */
  readonly layoutDamage?: string;
  /** How many entries of others were not read, because there are too many. */
  readonly unread?: number;
  /** The directories that we may need and that exist. */
  readonly directories: ReadonlySet<EspPath>;
  /**
   * Other directories inside those. No file of ours can take such a name. Absent when there are
   * none.
   */
  readonly subdirectories?: readonly EspPath[];
  /** Space of the ESP, when entries and their files are on another volume. */
  readonly espSpace?: Space;
}
