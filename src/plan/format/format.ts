/** What a format of boot entries is: all that is particular to it, in one record. */
import type { ImageSettings, Resolved, WantedEntry } from '../wanted.ts';

/** Where the stub of a format's images comes from. */
export interface StubRule {
  /** Present where systemd's own will not do, with what to tell a person who named none. */
  readonly mustBeNamed?: { readonly hint: string };
  /** A stub that would start no image of this format, told by the text of one of its sections. */
  readonly unfit?: {
    readonly section: string;
    readonly text: string;
    readonly because: string;
  };
}

/** What is so of formats with and without images. */
interface Common {
  /**
   * Whether kernels are signed as files of their own, because firmware checks them by themselves.
   * An image is signed whenever it is made.
   */
  readonly signsKernels: boolean;
  /** Whether entries tell the release of their kernel, for which its headers have to be read. */
  readonly tellsRelease: boolean;
  /**
   * Whether files that others put on the ESP may follow the initrd. Nothing from an ESP is ever
   * signed, so an image that is signed with all that it boots can have none.
   */
  readonly takesEspInitrds: boolean;
  /** Whether kernel, initrd and device tree become one file, which FAT has to hold as a whole. */
  readonly isOneFile: boolean;
  /** Characters that a command line of this format cannot have, and who cannot read them. */
  readonly unreadable?: { readonly characters: RegExp; readonly by: string };
}

/** Entries of text and the files that they name: nothing is made from a stub. */
export interface PlainFormat extends Common {
  readonly stub?: undefined;
  readonly want: (token: string, resolved: Resolved) => WantedEntry;
}

/**
 * Entries with images that are made from a stub. The image may be the entry itself, or one of its
 * blobs: whether a file is made and signed as an image is told by its content, not by its role. So
 * may several entries name one image, of which each boots another part.
 */
export interface StubFormat extends Common {
  readonly stub: StubRule;
  readonly want: (token: string, resolved: Resolved, image: ImageSettings) => WantedEntry;
}

/** `want` returns the entry of a generation or specialisation, and the files that it names. */
export type Format = PlainFormat | StubFormat;
