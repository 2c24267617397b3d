/** What comes onto the ESP of an image besides files. */
import type { RawSettings } from '../settings/configuration-file.ts';
import type { UkiDescription } from './image-uki.ts';

/** Boot entries as `install` makes them. */
export interface InstallDescription {
  /** Settings of `install`, unchecked, by name. */
  readonly settings: RawSettings;
  /** The system that boots next; without it, the profile's current one. */
  readonly toplevel?: string | undefined;
}

/** An image that is there already, and where it goes on its partition, as `/EFI/Linux/nixos_1.efi`. */
export interface FinishedUki {
  readonly path: string;
  readonly isOnXbootldr?: boolean | undefined;
  readonly source: string;
}

export interface EspDescription {
  readonly ukis: readonly (UkiDescription | FinishedUki)[];
  /** Where systemd-boot is taken from, with `lib/systemd/boot/efi` below; undefined for none. */
  readonly systemd?: string | undefined;
  /** The text of loader.conf, where systemd-boot is there. */
  readonly loaderConf: string;
  readonly install?: InstallDescription | undefined;
}

/** An ESP with its files alone. */
export const FILES_ALONE: EspDescription = { ukis: [], loaderConf: '' };
