/** The view of one ESP, as a value: everything there that a decision depends on. */
import type { Digest } from '../digest.ts';
import type { Inventory } from '../esp/inventory.ts';
import { type EspPath, volumesOf } from '../esp/layout.ts';
import type { OtherVolume } from '../esp/target.ts';
import type { BootOption } from '../loader/boot-option.ts';
import type { LoaderVariable } from '../loader/efi-variables.ts';
import type { LoaderIdentity } from '../loader/systemd-boot.ts';
import type { LoaderPlace, LoaderSignature } from '../loader/upgrade.ts';
import type { ExtraView } from './extras.ts';

/** One copy of the boot loader. */
export interface LoaderView {
  readonly place: LoaderPlace;
  readonly path: EspPath;
  /** In bytes; 0 when there is no file. */
  readonly size: number;
  readonly installed: { readonly kind: 'absent' | 'directory' } | LoaderIdentity;
  /** Whether it is for another processor than this path is. */
  readonly isForOther?: boolean;
  /** How its signature is judged. */
  readonly signature: LoaderSignature;
  /**
   * Of all bytes, where these are known to be whole: our certificate signed them, or the other copy
   * has the same. Only told of the first copy, and only where it may become the previous loader.
   */
  readonly digest?: Digest;
}

/** What this machine's firmware and boot loader report in EFI variables. */
export interface FirmwareView {
  /** Undefined when firmware does not say. */
  readonly secureBoot: boolean | undefined;
  /**
   * Whether firmware starts programs of our certificate; undefined when that was not checked or is
   * unknown.
   */
  readonly trustsCertificate: boolean | undefined;
  /** Why dbx refuses what our certificate signs; undefined when it does not, or nobody asked. */
  readonly forbids: string | undefined;
  /** Whether dbx has the digest of the boot loader that would be installed. */
  readonly bansLoader?: boolean;
  /**
   * The boot entries in their order; undefined when firmware does not say, or nobody asked: they matter
   * where the fallback path is another system's.
   */
  readonly bootOptions: readonly BootOption[] | undefined;
  /** The variables of systemd-boot that are set. */
  readonly variables: Readonly<Partial<Record<LoaderVariable, string>>>;
}

/** The view of a partition that should hold no entries of ours. */
export interface VolumeView extends OtherVolume {
  readonly inventory: Inventory;
  readonly extras: readonly ExtraView[];
}

/** Everything that was read of one ESP. */
export interface EspView {
  /** The ESP's mount point. */
  readonly root: string;
  /** The XBOOTLDR partition's mount point, if there is one. */
  readonly xbootldr: string | undefined;
  /** Of its disk, in bytes; undefined where nobody tells. */
  readonly sectorSize?: number | undefined;
  /** The inventory. Entries of other partitions count as foreign here: the menu shows them all. */
  readonly inventory: Inventory;
  /** PARTUUIDs of this ESP and its mirrors, in lower case, as far as anybody can tell. */
  readonly partitions: readonly string[];
  readonly elsewhere: readonly VolumeView[];
  /** `EFI/systemd` first, `EFI/BOOT` second, then the previous loader. */
  readonly loaders: readonly LoaderView[];
  readonly extras: readonly ExtraView[];
  /** Paths that entries name although no file is there. */
  readonly absent: ReadonlySet<EspPath>;
  /** Undefined when this machine's EFI variables say nothing about the ESP. */
  readonly firmware: FirmwareView | undefined;
  readonly warnings: readonly string[];
}

/** Returns a path of the ESP as a path of the running system, for messages. */
export function placeOn(view: Pick<EspView, 'root' | 'xbootldr'>, path: EspPath): string {
  const { root, xbootldr } = view;
  const isThere = xbootldr !== undefined && volumesOf(path)[0] === 'xbootldr';
  return `${isThere ? xbootldr : root}/${path}`;
}
