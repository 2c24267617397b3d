/**
 * Type #1 entries (BLS §Type #1) that boot one profile of an image (UKI §Multi-Profile UKIs), which
 * they share with others.
 *
 * The first two lines say which image and which profile. They have the same length in every such
 * entry of one kernel version, and lie within the first sector, so they are overwritten in place
 * when the image is made anew. The name of the entry carries the digest of all other lines.
 */
import { type EspPath, espPath } from './layout.ts';
import { oneLine } from './type1.ts';

/** What an entry boots: an image, and the number of a profile in it. */
export interface Pointer {
  /** The two lines as they are, with their ends. */
  readonly text: string;
  /** Undefined when the lines are not as we write them. */
  readonly to?: { readonly image: EspPath; readonly profile: number };
}

/** Digits of a profile's number: it always takes as much room. */
const DIGITS = 3;
/** More profiles than that have no number of this length. */
export const MOST_PROFILES = 10 ** DIGITS;
/** In bytes. What is overwritten lies within one sector, which is written as a whole or not at all. */
export const SECTOR = 512;

const POINTER = /^linux \/(\S+)\noptions @(\d{3})\n$/;

/** Returns the two lines that lead to a profile of an image. Our names are far shorter than a sector. */
export function formatPointer(image: EspPath, profile: number): string {
  if (profile >= MOST_PROFILES) throw new RangeError(`"profile" expected below ${MOST_PROFILES}`);
  return `linux /${image}\noptions @${String(profile).padStart(DIGITS, '0')}\n`;
}

/** The lines of an entry that stay as they are. `options` must be one line already. */
export interface SharedEntry {
  readonly title: string;
  readonly version: string;
  readonly sortKey: string;
  /** Identity of what the image has besides its profiles. */
  readonly base: string;
  readonly options: string;
}

/**
 * Returns the lines behind the pointer. Loaders skip the line of the base. Under Secure Boot the
 * stub takes the command line from the image and ignores these options; `systemctl kexec` takes
 * them as they are.
 */
export function formatSharedEntry(entry: SharedEntry): string {
  const lines = [
    `title ${oneLine(entry.title)}`,
    `version ${oneLine(entry.version)}`,
    `sort-key ${oneLine(entry.sortKey)}`,
    `# base ${entry.base}`,
    `options ${entry.options}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** Splits an entry behind its second line; undefined when it has not so many. */
export function splitPointer(
  bytes: Uint8Array,
): { pointer: Pointer; rest: Uint8Array } | undefined {
  const first = bytes.indexOf(0x0a);
  const second = first < 0 ? -1 : bytes.indexOf(0x0a, first + 1);
  if (second < 0 || second >= SECTOR) return undefined;
  const text = new TextDecoder().decode(bytes.subarray(0, second + 1));
  const [, image, profile] = POINTER.exec(text) ?? [];
  const to =
    image === undefined
      ? {}
      : { to: { image: espPath(...image.split('/')), profile: Number(profile) } };
  return { pointer: { text, ...to }, rest: bytes.subarray(second + 1) };
}

/** Returns the ID of the profile that an entry boots: its own ID without the suffix. */
export function profileId(entryId: string): string {
  return entryId.replace(/\.\w+$/, '').toLowerCase();
}

/** Returns the content of `.profile` (UKI §Multi-Profile UKIs). */
export function formatProfile(entryId: string): string {
  return `ID=${profileId(entryId)}\n`;
}
