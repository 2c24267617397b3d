/** What is seen of one ESP, as a value: everything that a decision about it depends on. */
import type { Inventory } from '../esp/inventory.ts';
import { type EspPath, volumesOf } from '../esp/layout.ts';
import type { OtherVolume } from '../esp/target.ts';
import type { BootOption } from '../loader/boot-option.ts';
import type { LoaderVariable } from '../loader/efi-variables.ts';
import type { LoaderIdentity } from '../loader/systemd-boot.ts';
import type { LoaderPlace } from '../loader/upgrade.ts';
import type { ExtraView } from './extras.ts';

/** One copy of the boot loader as it was found. */
export interface LoaderView {
  readonly place: LoaderPlace;
  readonly path: EspPath;
  /** Bytes; 0 when nothing is there. */
  readonly size: number;
  readonly installed: { readonly kind: 'absent' } | LoaderIdentity;
  /** What the certificate of the settings says about its signature. */
  readonly signature: 'valid' | 'invalid' | 'not-checked';
}

/** What firmware and boot loader of this machine say through EFI variables. */
export interface FirmwareView {
  /** Undefined when firmware does not say. */
  readonly secureBoot: boolean | undefined;
  /** Whether firmware starts what our certificate signs; undefined when nobody asked or can tell. */
  readonly trustsCertificate: boolean | undefined;
  /** Why dbx refuses what our certificate signs; undefined when it does not, or nobody asked. */
  readonly forbids: string | undefined;
  /** The boot entries in their order; undefined when firmware does not say. */
  readonly bootOptions: readonly BootOption[] | undefined;
  /** The variables of systemd-boot that are set. */
  readonly variables: Readonly<Partial<Record<LoaderVariable, string>>>;
}

/** What is seen of a partition on which no entries of ours belong. */
export interface VolumeView extends OtherVolume {
  readonly inventory: Inventory;
  readonly extras: readonly ExtraView[];
}

/** Everything that was read of one ESP. */
export interface EspView {
  /** Where the ESP is mounted. */
  readonly root: string;
  /** Where the XBOOTLDR partition is mounted, if there is one. */
  readonly xbootldr: string | undefined;
  /** Entries of other partitions are among its own as if they were another's: the menu shows them all. */
  readonly inventory: Inventory;
  /** PARTUUIDs of this ESP and its mirrors, in lower case, as far as anybody can tell. */
  readonly partitions: readonly string[];
  readonly elsewhere: readonly VolumeView[];
  /** `EFI/systemd` first, `EFI/BOOT` second. */
  readonly loaders: readonly LoaderView[];
  readonly extras: readonly ExtraView[];
  /** Paths that entries name and where there is no file. */
  readonly absent: ReadonlySet<EspPath>;
  /** Undefined where EFI variables of this machine say nothing about the ESP. */
  readonly firmware: FirmwareView | undefined;
  readonly warnings: readonly string[];
}

/** Returns where a path of the ESP is on the running system, for messages. */
export function placeOn(view: Pick<EspView, 'root' | 'xbootldr'>, path: EspPath): string {
  const { root, xbootldr } = view;
  const isThere = xbootldr !== undefined && volumesOf(path)[0] === 'xbootldr';
  return `${isThere ? xbootldr : root}/${path}`;
}
