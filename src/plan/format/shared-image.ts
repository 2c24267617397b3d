/** Makes the images that entries share, and the entries that lead to them. Pure. */
import { type EspPath, espPath, formatBlobName } from '../../esp/layout.ts';
import { formatPointer, MOST_PROFILES } from '../../esp/shared-entry.ts';
import { combined, formatPolicies, type PolicyDocument } from '../../uki/pcrsig.ts';
import { IMAGES } from '../images.ts';
import { textSection } from '../section.ts';
import type { SectionContent } from '../step.ts';
import type { ImageBase, Part, WantedEntry, WantedFile } from '../wanted.ts';
import { imageSizeLimit } from './image-entry.ts';

/** An entry that boots a part of an image. */
export type PartEntry = WantedEntry & { readonly part: Part };

/** In bytes. A section's row in the headers, and its padding. */
const SECTION_ROOM = 40 + 512;
/** Sections that the layout adds besides those of the base and of profiles: `.sbat`, `.pcrsig`. */
const ADDED = 2;

/** Returns how many profiles an image can have. */
export function profilesIn({ sections, image: { room } }: ImageBase, part: Part): number {
  if (room === undefined) return MOST_PROFILES;
  const left = room - sections.length - ADDED;
  return Math.max(1, Math.min(MOST_PROFILES, Math.floor(left / part.sections.length)));
}

/** Returns the image of these entries, whose profiles have their order. */
export function imageOf(base: ImageBase, entries: readonly PartEntry[]): WantedFile {
  const { version, directory, image } = base;
  const profiles = entries.flatMap(({ part }) => part.sections);
  const sections = [...base.sections, ...policiesOf(entries), ...profiles];
  const digest = IMAGES.uki.idOf(sections, image.fingerprint);
  return {
    role: 'blob',
    path: espPath(directory, formatBlobName({ kind: 'uki', version, digest })),
    size: imageSizeLimit(image.stubSize, sections) + profiles.length * SECTION_ROOM,
    content: { kind: 'uki', stub: image.stub, sections },
  };
}

/** One `.pcrsig` of the base serves every profile: of its policies, the TPM takes the one that fits. */
function policiesOf(entries: readonly PartEntry[]): readonly SectionContent[] {
  const policies = entries.flatMap(({ part }): readonly PolicyDocument[] =>
    part.policies === undefined ? [] : [part.policies],
  );
  return policies.length === 0 ? [] : [textSection('.pcrsig', formatPolicies(combined(policies)))];
}

/** Returns an image of an earlier run, which stays as it is. Size in bytes. */
export function keptImage(path: EspPath, size: number): WantedFile {
  return { role: 'blob', path, size, content: { kind: 'kept' } };
}

/** Returns an entry that boots a profile of an image. */
export function placedIn(entry: PartEntry, image: WantedFile, profile: number): PartEntry {
  const pointer = formatPointer(image.path, profile);
  const text = pointer + entry.part.lines;
  return {
    ...entry,
    file: {
      ...entry.file,
      size: new TextEncoder().encode(text).length,
      content: { kind: 'text', text },
      pointer,
    },
    blobs: [image],
  };
}
