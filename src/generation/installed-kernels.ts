/** Reads installed kernels: numbered links to kept systems, as those of a Nix profile. */
import type { Disk } from '../disk/disk.ts';
import { compareGenerations, type Generation, type Link } from './generation.ts';
import { currentToplevel, findGenerationLinks, fingerprintOf, readGenerations } from './profile.ts';
import type { GenerationSource, SourcePlaces } from './source.ts';

/** Where kept kernels and their links are, below the directory of the state. */
export interface KernelPlaces {
  /** Numbered links to systems, and `system`, which says what boots next. */
  readonly links: string;
  /** Systems by their digest: what boots, as a bootspec. */
  readonly systems: string;
  /** What systems name, by digest: kernels, initrds and device trees. */
  readonly files: string;
  readonly pins: string;
}

/** Returns where installed kernels are kept, below a directory of state. */
export function kernelPlaces(state: string): KernelPlaces {
  return {
    links: `${state}/kernels`,
    systems: `${state}/systems`,
    files: `${state}/files`,
    pins: `${state}/pins`,
  };
}

/**
 * Returns where to keep kernels, by real paths: links lead there, and are compared with what is there. Not
 * all of the directory has to exist.
 */
export function realPlaces(state: string, disk: Disk): KernelPlaces {
  const names: string[] = [];
  let directory = state;
  while (disk.realPath(directory) === undefined && directory.lastIndexOf('/') > 0) {
    const end = directory.lastIndexOf('/');
    names.unshift(directory.slice(end));
    directory = directory.slice(0, end);
  }
  return kernelPlaces((disk.realPath(directory) ?? directory) + names.join(''));
}

/** Returns the links of kept kernels with their releases, the newest first. */
export function kernelLinks(disk: Disk, directory: string): Link[] {
  return findGenerationLinks(disk, directory)
    .filter(({ profile }) => profile === undefined)
    .map((link) => ({ ...link, release: releaseOf(disk.readLink(link.path)) }))
    .sort(compareGenerations);
}

/** The name of a system ends in the release of its kernel. */
function releaseOf(target: string | undefined): string | undefined {
  return /-linux-([^/]+)$/.exec(target ?? '')?.[1];
}

/** Opens the kept kernels as a source. */
export function installedKernels(
  { 'state-dir': state, pins }: SourcePlaces,
  disk: Disk,
): GenerationSource {
  const places = kernelPlaces(state);
  const pinDirectory = pins ?? places.pins;
  const links = () => kernelLinks(disk, places.links);
  const current = () => [currentToplevel(disk, places.links) ?? []].flat();
  const pinned = () => [
    ...new Set(kernelLinks(disk, pinDirectory).flatMap(({ path }) => disk.realPath(path) ?? [])),
  ];
  return {
    fingerprint: () =>
      fingerprintOf(
        [places.links, pinDirectory].flatMap((directory) => linksIn(directory, disk)),
        disk,
      ),
    read(memory, leniency) {
      const found = links();
      const listed = new Set(found.flatMap(({ path }) => disk.realPath(path) ?? []));
      const lone = kernelLinks(disk, pinDirectory).filter(
        ({ path }) => !listed.has(disk.realPath(path) ?? ''),
      );
      const all = [...found, ...lone].sort(compareGenerations);
      const [newest] = found;
      return {
        ...readGenerations(disk, all, memory, leniency),
        pinned: new Set(pinned()),
        current: current(),
        newest: newest && (disk.realPath(newest.path) ?? newest.path),
      };
    },
    current,
    pinned,
    pinOf: ({ number }: Pick<Generation, 'number'>) => `${pinDirectory}/system-${number}-link`,
    watched: () => [places.links, pinDirectory],
  };
}

/** Returns the link that says which kernel is current, and those of all kernels. */
function linksIn(directory: string, disk: Disk): string[] {
  return [`${directory}/system`, ...findGenerationLinks(disk, directory).map(({ path }) => path)];
}
