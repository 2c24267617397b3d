/** What stubs and loaders add to what boots, beside the images: addons, credentials, extensions (UKI §Addons). */
import type { Disk } from '../disk/disk.ts';
import { type EspPath, espPath, IMAGES } from './layout.ts';
import type { Listings } from './listings.ts';

/** A file that changes what boots, and that we neither write nor remove. */
export interface Companion {
  readonly path: EspPath;
  readonly kind: (typeof KINDS)[number][0];
  /** The file name of the image that alone takes it; absent for what every image takes. */
  readonly image?: string;
}

const KINDS = [
  ['addon', /\.addon\.efi$/i],
  ['credential', /\.cred$/i],
  ['extension', /\.raw$/i],
] as const;

const LOADER = espPath('loader');
/** The directories in it where stubs look for every image. */
const SHARED = ['addons', 'credentials', 'extensions'];
const OF_IMAGE = /^(.+\.efi)\.extra\.d$/i;
/** More of them than this are not looked at. */
const MAX = 1000;

/**
 * Returns the companions on a partition, in the order of their paths.
 * @param listings those of the images and of `loader` among them
 */
export function scanCompanions(disk: Disk, root: string, listings: Listings): readonly Companion[] {
  const directoriesIn = (path: EspPath) =>
    (listings.get(path) ?? []).flatMap(({ name, kind }) => (kind === 'directory' ? [name] : []));
  const present = new Set(directoriesIn(LOADER).map((name) => name.toLowerCase()));
  const shared = SHARED.filter((name) => present.has(name));
  const places = [
    ...shared.map((name) => ({ at: espPath(LOADER, name), image: undefined })),
    ...directoriesIn(IMAGES).flatMap((name) => {
      const image = OF_IMAGE.exec(name)?.[1];
      return image === undefined ? [] : [{ at: espPath(IMAGES, name), image }];
    }),
  ];
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
  const listed = (disk.list(`${root}/${at}`) ?? []).slice(0, MAX);
  return listed.flatMap(({ name, kind: found }) => {
    const kind = KINDS.find(([, shape]) => shape.test(name) && !name.startsWith('.'))?.[0];
    if (kind === undefined || found !== 'file') return [];
    return [{ path: espPath(at, name), kind, ...(image === undefined ? {} : { image }) }];
  });
}
