/**
 * The kinds of images made from a stub: how each is recognised on an ESP, and how it is laid out.
 */

import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import type { ImageKind } from '../esp/image-kind.ts';
import { THIN_IMAGE } from '../esp/thin.ts';
import { appendSections, type NewSection } from '../pe/append-sections.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { findSection, type Pe } from '../pe/pe.ts';
import { addonLayout } from '../uki/build.ts';
import type { KernelTraits } from '../uki/kernel.ts';
import { ukiId, ukiLayout } from '../uki/uki.ts';

/** A kind of image. `layOut` combines a stub with the sections of an image. */
export type Image = ImageKind &
  (
    | {
        /**
         * The kernel itself is in the section `.linux`, so its traits become those of the image.
         */
        readonly carriesKernel: true;
        readonly layOut: (
          stub: Uint8Array,
          sections: readonly NewSection[],
          kernel: KernelTraits,
        ) => ImageLayout;
      }
    | {
        readonly carriesKernel: false;
        readonly layOut: (stub: Uint8Array, sections: readonly NewSection[]) => ImageLayout;
      }
  );

/** Kinds of images, by the name of their content in a plan. */
export const IMAGES = {
  uki: {
    telltales: [],
    companions: { takes: ['addon', 'credential', 'extension'], own: '.extra.d' },
    naming: [],
    idOf: ukiId,
    requireIdentity: requireKernel,
    carriesKernel: true,
    layOut: ukiLayout,
  },
  thin: { ...THIN_IMAGE, carriesKernel: false, layOut: appendSections },
  // It is no entry, so its name tells nothing; it lies where stubs look for addons.
  addon: { telltales: [], naming: [], idOf: ukiId, carriesKernel: false, layOut: addonLayout },
} as const satisfies Record<string, Image>;

/** Whatever else has the name of an image, such as a kernel, is found out by its sections. */
function requireKernel(_file: ByteSource, pe: Pe): void {
  const missing = ['.linux', '.osrel'].find((name) => findSection(pe, name) === undefined);
  if (missing === undefined) return;
  throw new EspError('PE_MALFORMED', `it has no section ${missing}: it is no image of ours`);
}

export type ImageName = keyof typeof IMAGES;

/** The kinds that are entries, or that entries boot from, for whoever reads an ESP. */
export const IMAGE_KINDS: readonly Image[] = [IMAGES.uki, IMAGES.thin];
