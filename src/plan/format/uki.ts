/** Unified Kernel Images: stub, kernel, initrd and command line in one signed file. Pure. */
import { fileSection, textSection } from '../section.ts';
import type { SectionContent } from '../step.ts';
import type { ImageSettings, Resolved, WantedEntry } from '../wanted.ts';
import type { Format } from './format.ts';
import { describingSections, imageEntry } from './image-entry.ts';

export const UKI = {
  signsKernels: false,
  tellsRelease: true,
  takesEspInitrds: false,
  takesAddons: true,
  isOneFile: true,
  stub: {},
  want: wantUki,
} as const satisfies Format;

/** Returns the Unified Kernel Image of a generation or specialisation. */
export function wantUki(token: string, resolved: Resolved, image: ImageSettings): WantedEntry {
  const sections: readonly SectionContent[] = [
    ...describingSections(resolved),
    ...(resolved.devicetree ? [fileSection('.dtb', resolved.devicetree)] : []),
    ...(resolved.uname === undefined ? [] : [textSection('.uname', resolved.uname)]),
    fileSection('.linux', resolved.kernel),
    ...(resolved.initrd ? [fileSection('.initrd', resolved.initrd)] : []),
    ...image.extra,
  ];
  return imageEntry(token, resolved, image, { kind: 'uki', sections, blobs: [] });
}
