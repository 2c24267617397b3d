/** What stubs and loaders add to what boots, beside the images: addons, credentials, extensions (UKI §Addons). */
import type { Disk } from '../disk/disk.ts';
import { type EspPath, espPath } from './layout.ts';
import type { Listings } from './listings.ts';

/** A file beside the images that changes what boots. */
export interface Companion {
  readonly path: EspPath;
  readonly kind: CompanionKind;
  /** The file name of the image that alone takes it; absent for what every image takes. */
  readonly image?: string;
}

const KINDS = [
  ['addon', /\.addon\.efi$/i],
  ['credential', /\.cred$/i],
  ['extension', /\.raw$/i],
] as const;

export type CompanionKind = (typeof KINDS)[number][0];

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
    ...[...listings.keys()].flatMap((directory) =>
      directoriesIn(directory).flatMap((name) => {
        const image = OF_IMAGE.exec(name)?.[1];
        return image === undefined ? [] : [{ at: espPath(directory, name), image }];
      }),
    ),
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
    const kind = kindOf(name);
    if (kind === undefined || found !== 'file') return [];
    return [{ path: espPath(at, name), kind, ...(image === undefined ? {} : { image }) }];
  });
}

function kindOf(name: string): CompanionKind | undefined {
  return KINDS.find(([, shape]) => shape.test(name) && !name.startsWith('.'))?.[0];
}

/** Returns the companion that a file at this path is, or undefined where no stub looks for one. */
export function companionAt(path: EspPath): Companion | undefined {
  const [name = '', directory = '', ...above] = path.split('/').reverse();
  const kind = kindOf(name);
  if (kind === undefined) return undefined;
  const image = OF_IMAGE.exec(directory)?.[1];
  if (image !== undefined) return { path, kind, image };
  const isShared =
    SHARED.includes(directory.toLowerCase()) && above.join('/').toLowerCase() === LOADER;
  return isShared ? { path, kind } : undefined;
}
