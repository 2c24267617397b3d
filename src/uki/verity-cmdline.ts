/** Puts root hashes on every command line of an image that is being built. */
import { EspError } from '../error.ts';
import { appendVerity } from '../verity/cmdline.ts';
import { bytesSection, type ImageParts } from './build.ts';
import type { UkiSection } from './uki.ts';

const CMDLINE = '.cmdline';

/**
 * Returns the parts with these words appended to the base's command line, which is made if missing,
 * and to that of each joined profile with its own. So no profile boots another file system.
 * @throws {CONFIG_INVALID} when a command line names another root hash, and when a profile to join
 * has no command line of its own: it would use one without the words
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
  // A text from a file may end with a line end, and the words must go before it.
  const before = new TextDecoder().decode(section.content.bytes).trimEnd();
  return bytesSection(CMDLINE, new TextEncoder().encode(appendVerity(before, words)));
}
