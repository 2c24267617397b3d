/** Shared images: one image for each kernel and initrd, of which every entry boots a profile. Pure. */
import { base32, hash } from '../../digest.ts';
import { blobDirectory, ENTRIES, espPath } from '../../esp/layout.ts';
import { formatProfile, formatSharedEntry } from '../../esp/shared-entry.ts';
import { kernelVersion } from '../../generation/generation.ts';
import { formatOsRelease } from '../../uki/os-release.ts';
import { inMeasurementOrder } from '../../uki/section.ts';
import { IMAGES } from '../images.ts';
import { fileSection, textSection } from '../section.ts';
import type { ImageBase, ImageSettings, Resolved, WantedEntry } from '../wanted.ts';
import type { Format } from './format.ts';
import { entryName, label, menuEntry } from './menu-entry.ts';
import { imageOf, placedIn } from './shared-image.ts';

export const SHARED = {
  signsKernels: false,
  tellsRelease: true,
  takesEspInitrds: false,
  takesAddons: true,
  isOneFile: true,
  stub: {
    since: { version: '257', because: 'knows no profiles, by which entries share an image' },
  },
  excludes: { sections: ['profile'], because: 'each entry has a profile of its own' },
  want: wantShared,
} as const satisfies Format;

/**
 * Returns the entry of a generation or specialisation, as the only profile of an image. Which entries
 * share an image is decided for each ESP.
 */
function wantShared(token: string, resolved: Resolved, image: ImageSettings): WantedEntry {
  const base = imageBase(token, resolved, image);
  const { cmdline, ...menu } = menuEntry(resolved);
  const lines = formatSharedEntry({
    title: label(resolved),
    version: menu.version,
    sortKey: menu.sortKey,
    base: base32(base.id),
    options: cmdline,
  });
  const id = entryName(token, resolved, { kind: 'type1', digest: hash(lines) });
  const sections = [textSection('.profile', formatProfile(id)), textSection('.cmdline', cmdline)];
  const entry = {
    id,
    ...menu,
    cmdline,
    part: { base, sections, lines },
    file: {
      role: 'entry',
      path: espPath(ENTRIES, id),
      size: 0,
      content: { kind: 'text', text: lines },
    },
    blobs: [],
  } as const;
  return placedIn(entry, imageOf(base, [entry]), 0);
}

/**
 * Nothing in it belongs to one generation: what the base measures to must not change for others when
 * one more joins them. The `ID` is that of other images, since a stub makes secrets of it.
 */
function imageBase(token: string, resolved: Resolved, image: ImageSettings): ImageBase {
  const { sortKey } = menuEntry(resolved);
  const osRelease = formatOsRelease([
    ['ID', sortKey],
    ['NAME', sortKey],
    ['PRETTY_NAME', sortKey],
  ]);
  const sections = inMeasurementOrder([
    textSection('.osrel', osRelease),
    ...(resolved.devicetree ? [fileSection('.dtb', resolved.devicetree)] : []),
    ...(resolved.uname === undefined ? [] : [textSection('.uname', resolved.uname)]),
    fileSection('.linux', resolved.kernel),
    ...(resolved.initrd ? [fileSection('.initrd', resolved.initrd)] : []),
    ...image.extra,
  ]);
  const { stub, stubSize, fingerprint, room } = image;
  return {
    id: IMAGES.uki.idOf(sections, fingerprint),
    sections,
    version: kernelVersion(resolved.bootspec),
    directory: blobDirectory(token),
    image: { stub, stubSize, fingerprint, ...(room === undefined ? {} : { room }) },
  };
}
