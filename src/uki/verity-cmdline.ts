/** Root hashes put on every command line of an image that is being built. */
import { EspError } from '../error.ts';
import { appendVerity } from '../verity/cmdline.ts';
import { bytesSection, type ImageParts } from './build.ts';
import type { UkiSection } from './uki.ts';

const CMDLINE = '.cmdline';

/**
 * Returns the parts with words behind the base's command line, which is made where there is none, and
 * behind that of each joined profile which has its own: no profile boots anything else.
 * @throws {CONFIG_INVALID} when a command line names another root hash, and for a profile to be joined
 * that has no command line: the words are for the base's, which it would hide
 */
export function withVerityWords(parts: ImageParts, words: readonly string[]): ImageParts {
  const isProfile = parts.profile !== undefined && parts.joined.length === 0;
  const hasOwn = parts.sections.some(({ name }) => name === CMDLINE);
  if (isProfile && !hasOwn) {
    throw new EspError('CONFIG_INVALID', '--verity: a profile without --cmdline has its base’s', {
      hint: 'give --verity for the image that the profile is joined to',
    });
  }
  const sections = hasOwn
    ? parts.sections
    : [...parts.sections, bytesSection(CMDLINE, new Uint8Array())];
  return {
    ...parts,
    sections: sections.map((section) => withWords(section, words)),
    joined: parts.joined.map((profile) => profile.map((section) => withWords(section, words))),
  };
}

function withWords(section: UkiSection, words: readonly string[]): UkiSection {
  if (section.name !== CMDLINE) return section;
  if (section.content.kind !== 'bytes')
    throw new RangeError('"content" of .cmdline expected bytes');
  // What is read from a file may end with a line, and the words belong on it.
  const before = new TextDecoder().decode(section.content.bytes).trimEnd();
  return bytesSection(CMDLINE, new TextEncoder().encode(appendVerity(before, words)));
}
