/** Reads generations from Nix profiles: numbered links, and a link that says which is current. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { compareGenerations, type Generation, type Link } from './generation.ts';
import { kernelPlaces } from './installed-kernels.ts';
import {
  currentToplevel,
  findGenerationLinks,
  fingerprintOf,
  parseLink,
  profileDirectories,
  readGenerations,
} from './profile.ts';
import type { FoundGenerations, GenerationSource, SourcePlaces } from './source.ts';

/** Everything below is a root for Nix: garbage collection keeps the targets of links here. */
const NIX_ROOTS = '/nix/var/nix/gcroots';

/** Opens the profiles of the places as a source. */
export function nixProfiles(places: SourcePlaces, disk: Disk): GenerationSource {
  const { profiles } = places;
  const pins = () => pinsDirectory(places, disk);
  const pinLinks = () => findGenerationLinks(disk, pins());
  return {
    fingerprint: () =>
      fingerprintOf(
        [...profiles, pins()].flatMap((place) => linksAt(place, disk)),
        disk,
      ),
    read(memory, leniency) {
      const found = profiles.map((path) => readPlace(path, disk));
      const listed = readGenerations(
        disk,
        found.flatMap(({ links }) => links),
        memory,
        leniency,
      );
      const pinned = pinLinks();
      const lone = readGenerations(disk, unlisted(pinned, listed, disk), undefined, leniency);
      return {
        generations: [...listed.generations, ...lone.generations].toSorted(compareGenerations),
        malformed: [...listed.malformed, ...lone.malformed].toSorted(compareGenerations),
        pinned: new Set(systemsOf(pinned, disk)),
        current: found.flatMap(({ current }) => current),
        newest: newestOf(found, disk),
      };
    },
    current: () => profiles.flatMap((path) => readPlace(path, disk).current),
    pinned: () => systemsOf(pinLinks(), disk),
    pinOf: (generation) => linkOfPin(pins(), generation),
    watched: () =>
      [...profiles, pins()].flatMap((path) =>
        parseLink(path) ? [directoryOf(path)] : profileDirectories(path),
      ),
  };
}

/** The generations in one place of the settings. */
interface FoundPlace {
  readonly links: readonly Link[];
  readonly current: readonly string[];
}

/** Reads a directory of profiles, or the link of one generation, which has no current system. */
function readPlace(path: string, disk: Disk): FoundPlace {
  const link = parseLink(path);
  if (link) return { links: [link], current: [] };
  if (!disk.list(path)) {
    throw new EspError('CONFIG_INVALID', `${path}: no directory of profiles, and no generation`, {
      hint: 'name a directory that holds system-N-link, or such a link, with --profiles; where packages install kernels, begin with `espalier kernel sync`',
    });
  }
  const links = findGenerationLinks(disk, path);
  const named = new Set(links.flatMap(({ profile }) => (profile === undefined ? [] : [profile])));
  const current = [
    currentSystem(disk, path),
    ...[...named].map((profile) => currentToplevel(disk, path, profile)),
  ];
  return { links, current: current.filter((system) => system !== undefined) };
}

/** Where the newest of the links leads, broken or not; a pin is none of them. */
function newestOf(places: readonly FoundPlace[], disk: Disk): string | undefined {
  const [newest] = places.flatMap(({ links }) => links).toSorted(compareGenerations);
  return newest && (disk.realPath(newest.path) ?? newest.path);
}

/**
 * Returns where the system profile leads: a real path, or the generation's link when its target is
 * gone. A missing target must not count as no current system: then the newest generation would boot
 * next.
 */
function currentSystem(disk: Disk, directory: string): string | undefined {
  const link = disk.readLink(`${directory}/system`);
  return currentToplevel(disk, directory) ?? (link && absolutePath(directory, link));
}

/** Returns the absolute target of a link in a directory, without checking that it exists. */
function absolutePath(directory: string, link: string): string {
  const parts: string[] = [];
  for (const part of (link.startsWith('/') ? link : `${directory}/${link}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/**
 * Returns the pinned generations that no profile lists any more. They still count as generations.
 */
function unlisted(
  pins: readonly Link[],
  { generations, malformed }: Pick<FoundGenerations, 'generations' | 'malformed'>,
  disk: Disk,
): Link[] {
  const listed = new Set([
    ...generations.map(({ toplevel }) => toplevel),
    ...malformed.map(({ link }) => disk.realPath(link)),
  ]);
  return pins.filter(({ path }) => !listed.has(disk.realPath(path) ?? path));
}

/** Returns the real paths of the systems behind links. */
function systemsOf(links: readonly Link[], disk: Disk): string[] {
  return links.flatMap(({ path }) => disk.realPath(path) ?? []);
}

/** Returns a link that is named itself; of a directory its links, and those that say which is current. */
function linksAt(place: string, disk: Disk): string[] {
  if (parseLink(place)) return [place];
  const links = findGenerationLinks(disk, place).map(({ path }) => path);
  return [...new Set(links.flatMap((path) => [path, path.replace(/-\d+-link$/, '')]))];
}

/** Returns the directory of pins: the given one, else one among Nix's roots, else our own. */
function pinsDirectory({ pins, 'state-dir': state }: SourcePlaces, disk: Disk): string {
  if (pins !== undefined) return pins;
  return disk.stat(NIX_ROOTS) ? `${NIX_ROOTS}/espalier` : kernelPlaces(state).pins;
}

/**
 * Returns the path of a generation's pin. It is named like a profile's link, so it reads as one.
 */
function linkOfPin(
  directory: string,
  { profile, number }: Pick<Generation, 'profile' | 'number'>,
): string {
  const [ofSystem, ofNamed] = profileDirectories(directory);
  return profile === undefined
    ? `${ofSystem}/system-${number}-link`
    : `${ofNamed}/${profile}-${number}-link`;
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}
