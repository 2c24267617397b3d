/** What a hostile case is: what somebody put on an ESP, and what may be expected of the program then. */
import type { ErrorCode } from '../../src/error.ts';
import type { Machine } from '../command/a-machine.ts';

/** Paths on the ESP of what a generation has there. */
export interface Names {
  readonly entry: string;
  /** Kernel and initrd; none for an image. */
  readonly blobs: readonly string[];
}

/** What a case finds: a machine with its ESP, and what each generation has there, the current one last. */
export interface Site {
  readonly machine: Machine;
  readonly generations: readonly Names[];
  readonly current: Names;
}

export interface HostileCase {
  readonly name: string;
  /** Kind of the entries; images unless told. */
  readonly format?: 'type1';
  /** Whether the program signs. */
  readonly signed?: boolean;
  /** How many generations there are; two unless told. No two share a file. */
  readonly generations?: number;
  /** Nothing is on the ESP but what is planted; otherwise the generations are installed. */
  readonly fresh?: boolean;
  readonly plant: (site: Site) => void;
  /** What the error of `install` is; unless told it succeeds. */
  readonly stops?: ErrorCode;
}

/** Every place of the ESP at which the program makes files or looks at them. */
export const FIXED = [
  'EFI/systemd/systemd-bootx64.efi',
  'EFI/BOOT/BOOTX64.EFI',
  'loader/loader.conf',
  'loader/entries.srel',
] as const;

/** Every directory in which the program makes files, and what these lie in. */
export const DIRECTORIES = [
  'EFI',
  'EFI/Linux',
  'EFI/systemd',
  'EFI/BOOT',
  'EFI/nixos',
  'loader',
  'loader/entries',
] as const;

/** A digest that no file has, in the form in which names carry one. */
export const NO_DIGEST = 'a'.repeat(52);
