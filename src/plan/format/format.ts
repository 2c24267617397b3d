/** The record of a format of boot entries: everything that is particular to it. */
import type { ImageSettings, Resolved, WantedEntry } from '../wanted.ts';

/** The source of the stub for a format's images. */
export interface StubRule {
  /** Present when systemd's own stub cannot be used: what to tell a person who named none. */
  readonly mustBeNamed?: { readonly hint: string };
  /**
   * A stub that would start no image of this format. The text of one of its sections identifies it.
   */
  readonly unfit?: {
    readonly section: string;
    readonly text: string;
    readonly because: string;
  };
  /** The oldest systemd whose stub starts these images, and why an older one does not. */
  readonly since?: { readonly version: string; readonly because: string };
}

/** Properties of formats with and without images. */
interface Common {
  /**
   * Whether kernels are signed as files of their own, because firmware checks each of them. An
   * image is signed whenever it is made.
   */
  readonly signsKernels: boolean;
  /** Whether entries tell the release of their kernel. Then its headers have to be read. */
  readonly tellsRelease: boolean;
  /**
   * Whether files of others on the ESP may follow the initrd. Nothing from an ESP is ever signed,
   * so an image that is signed with all its parts cannot have any.
   */
  readonly takesEspInitrds: boolean;
  /** Whether its stub adds addons to what boots. */
  readonly takesAddons: boolean;
  /** Why its entries carry no policies for PCR 11, by which a TPM opens secrets; absent when they do. */
  readonly lacksPolicies?: string;
  /** Whether kernel, initrd and device tree become one file, which FAT has to hold as a whole. */
  readonly isOneFile: boolean;
  /**
   * Characters that a command line of this format cannot hold, and which program cannot read them.
   */
  readonly unreadable?: { readonly characters: RegExp; readonly by: string };
  /** Sections of the settings that its images cannot have, and why. */
  readonly excludes?: { readonly sections: readonly string[]; readonly because: string };
}

/** A format of text entries and the files that they name. It needs no stub. */
export interface PlainFormat extends Common {
  readonly stub?: undefined;
  readonly want: (token: string, resolved: Resolved) => WantedEntry;
}

/**
 * A format of entries with images, made from a stub. The image may be the entry itself or one of
 * its blobs: the content of a file, and not its role, says whether it is made and signed as an
 * image. So several entries may name one image and boot different parts of it.
 */
export interface StubFormat extends Common {
  readonly stub: StubRule;
  readonly want: (token: string, resolved: Resolved, image: ImageSettings) => WantedEntry;
}

/**
 * `want` returns the entry of a generation or specialisation, and the files that the entry names.
 */
export type Format = PlainFormat | StubFormat;
