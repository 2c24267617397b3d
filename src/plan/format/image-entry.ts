/** Makes entries that are images: one file with everything to boot, or with its paths. Pure. */
import { espPath, IMAGES as IMAGE_DIRECTORY } from '../../esp/layout.ts';
import { formatCmdline } from '../../uki/cmdline.ts';
import { entryOsRelease } from '../../uki/os-release.ts';
import { IMAGES, type ImageName } from '../images.ts';
import { textSection } from '../section.ts';
import type { SectionContent } from '../step.ts';
import type { ImageSettings, Resolved, WantedEntry, WantedFile } from '../wanted.ts';
import { entryName, label, menuEntry, menuOrder } from './menu-entry.ts';

/** Returns the sections that describe an image and what it boots. */
export function describingSections(resolved: Resolved): readonly SectionContent[] {
  const { bootspec } = resolved;
  const { sortKey, version: versionTag } = menuOrder(resolved);
  const osRelease = entryOsRelease({ sortKey, label: label(resolved), versionTag });
  const cmdline = formatCmdline(bootspec.init, bootspec.kernelParams);
  return [textSection('.osrel', osRelease), textSection('.cmdline', cmdline)];
}

/** The properties of one kind of image. */
export interface ImageParts {
  readonly kind: ImageName;
  readonly sections: readonly SectionContent[];
  /** The files on the ESP that the image names. */
  readonly blobs: readonly WantedFile[];
}

/** Returns the entry of an image. */
export function imageEntry(
  token: string,
  resolved: Resolved,
  { stub, stubSize, fingerprint }: ImageSettings,
  { kind, sections, blobs }: ImageParts,
): WantedEntry {
  const digest = IMAGES[kind].idOf(sections, fingerprint);
  const name = entryName(token, resolved, { kind: 'uki', digest });
  return {
    id: name,
    ...menuEntry(resolved),
    file: {
      role: 'entry',
      path: espPath(IMAGE_DIRECTORY, name),
      size: imageSizeLimit(stubSize, sections),
      content: { kind, stub, sections },
    },
    blobs,
  };
}

/** In bytes. Room for larger headers, a merged `.sbat`, each section's padding, and a signature. */
const IMAGE_ROOM = 32 * 1024;

/**
 * Returns the largest possible size of an image in bytes. Its layout is computed when it is
 * written.
 */
export function imageSizeLimit(stubSize: number, sections: readonly SectionContent[]): number {
  return sections.reduce((sum, { size }) => sum + size, stubSize + IMAGE_ROOM);
}
