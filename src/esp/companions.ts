/** What stubs and loaders add to what boots, beside the images: addons, credentials, extensions (UKI §Addons). */
import type { Disk } from '../disk/disk.ts';
import { type EspPath, espPath, IMAGES } from './layout.ts';

/** A file that changes what boots, and that we neither write nor remove. Size in bytes. */
export interface Companion {
  readonly path: EspPath;
  readonly size: number;
  readonly kind: (typeof KINDS)[number][0];
  /** The file name of the image that alone takes it; absent for what every image takes. */
  readonly image?: string;
}

const KINDS = [
  ['addon', /\.addon\.efi$/i],
  ['credential', /\.cred$/i],
  ['extension', /\.raw$/i],
] as const;

/** Where stubs look for every image. */
const SHARED = [
  espPath('loader', 'addons'),
  espPath('loader', 'credentials'),
  espPath('loader', 'extensions'),
];
const OF_IMAGE = /^(.+\.efi)\.extra\.d$/i;
/** More of them than this are not looked at. */
const MAX = 1000;

/** Returns the companions on a partition, in the order of their paths. */
export function scanCompanions(disk: Disk, root: string): readonly Companion[] {
  const own = (disk.list(`${root}/${IMAGES}`) ?? []).flatMap(({ name, kind }) => {
    const image = OF_IMAGE.exec(name)?.[1];
    return image === undefined || kind !== 'directory'
      ? []
      : [{ at: espPath(IMAGES, name), image }];
  });
  const places = [...SHARED.map((at) => ({ at, image: undefined })), ...own];
  return places
    .slice(0, MAX)
    .flatMap((place) => companionsIn(disk, root, place))
    .slice(0, MAX);
}

function companionsIn(
  disk: Disk,
  root: string,
  { at, image }: { readonly at: EspPath; readonly image: string | undefined },
): Companion[] {
  if (disk.linkStat(`${root}/${at}`)?.kind !== 'directory') return [];
  return (disk.list(`${root}/${at}`) ?? []).slice(0, MAX).flatMap(({ name }) => {
    const kind = KINDS.find(([, shape]) => shape.test(name) && !name.startsWith('.'))?.[0];
    const path = espPath(at, name);
    const stat = kind && disk.linkStat(`${root}/${path}`);
    if (kind === undefined || stat?.kind !== 'file') return [];
    return [{ path, size: stat.size, kind, ...(image === undefined ? {} : { image }) }];
  });
}
