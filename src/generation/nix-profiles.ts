/** Generations of Nix profiles: numbered links, beside one that says which of them is current. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { compareGenerations, type Generation, type Link } from './generation.ts';
import {
  currentToplevel,
  findGenerationLinks,
  parseLink,
  profileDirectories,
  readGenerations,
} from './profile.ts';
import type { FoundGenerations, GenerationSource, SourcePlaces } from './source.ts';

/** Everything below is a root for Nix: what a link there leads to is not collected. */
const NIX_ROOTS = '/nix/var/nix/gcroots';
const WITHOUT_NIX = '/var/lib/espalier/pins';

/** Opens the profiles of the places as a source. */
export function nixProfiles(places: SourcePlaces, disk: Disk): GenerationSource {
  const { profiles } = places;
  const pins = () => pinsDirectory(places, disk);
  const pinLinks = () => findGenerationLinks(disk, pins());
  return {
    fingerprint: () => fingerprintOf([...profiles, pins()], disk),
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

/** What one place of the settings holds. */
interface FoundPlace {
  readonly links: readonly Link[];
  readonly current: readonly string[];
}

/** Looks at a directory of profiles, or at the link of one generation, which no profile calls current. */
function readPlace(path: string, disk: Disk): FoundPlace {
  const link = parseLink(path);
  if (link) return { links: [link], current: [] };
  if (!disk.list(path)) {
    throw new EspError('CONFIG_INVALID', `${path}: no directory of profiles, and no generation`, {
      hint: 'name a directory that holds system-N-link, or such a link, with --profiles',
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

/**
 * Where the system profile leads: a real path, or the generation's link when that leads nowhere. A
 * current system that is gone must not count as none, for which the newest of all would boot next.
 */
function currentSystem(disk: Disk, directory: string): string | undefined {
  const link = disk.readLink(`${directory}/system`);
  return currentToplevel(disk, directory) ?? (link && absolutePath(directory, link));
}

/** Returns the path to which a link in a directory leads, without a look at what is there. */
function absolutePath(directory: string, link: string): string {
  const parts: string[] = [];
  for (const part of (link.startsWith('/') ? link : `${directory}/${link}`).split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** Pins of generations that their profiles have no longer: they are generations all the same. */
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

/** Real paths of the systems to which links lead. */
function systemsOf(links: readonly Link[], disk: Disk): string[] {
  return links.flatMap(({ path }) => disk.realPath(path) ?? []);
}

/** A link that changes is another file, and so is one that is made again. */
function fingerprintOf(places: readonly string[], disk: Disk): string {
  return places
    .flatMap((path) => (parseLink(path) ? [path] : linksIn(disk, path)))
    .map((path) => {
      const { inode, modified, changed } = disk.linkStat(path) ?? {};
      return [path, inode, modified, changed].join('\0');
    })
    .join('\n');
}

/** The links of generations in a directory, and those that say which is current. */
function linksIn(disk: Disk, directory: string): string[] {
  const links = findGenerationLinks(disk, directory).map(({ path }) => path);
  return [...new Set(links.flatMap((path) => [path, path.replace(/-\d+-link$/, '')]))];
}

/** Returns the directory of pins: as told, else among Nix's roots, else our own. */
function pinsDirectory({ pins }: SourcePlaces, disk: Disk): string {
  if (pins !== undefined) return pins;
  return disk.stat(NIX_ROOTS) ? `${NIX_ROOTS}/espalier` : WITHOUT_NIX;
}

/** Returns the path of a generation's pin: named as in a directory of profiles, so that it reads as one. */
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
