/** Every kind of image that is made from a stub: how it is told apart on an ESP, and how it is laid out. */

import type { ImageKind } from '../esp/image-kind.ts';
import { THIN_IMAGE } from '../esp/thin.ts';
import { appendSections, type NewSection } from '../pe/append-sections.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import type { KernelTraits } from '../uki/kernel.ts';
import { ukiId, ukiLayout } from '../uki/uki.ts';

/** A kind of image. `layOut` returns how a stub and the sections of an image come together. */
export type Image = ImageKind &
  (
    | {
        /** The kernel itself is in its section `.linux`, and its traits become those of the image. */
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

/** By the name that a plan gives to the content of such a file. */
export const IMAGES = {
  uki: { telltales: [], naming: [], idOf: ukiId, carriesKernel: true, layOut: ukiLayout },
  thin: { ...THIN_IMAGE, carriesKernel: false, layOut: appendSections },
} as const satisfies Record<string, Image>;

export type ImageName = keyof typeof IMAGES;

/** All of them, for whoever reads an ESP. */
export const IMAGE_KINDS: readonly Image[] = Object.values(IMAGES);
