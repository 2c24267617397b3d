/** Reads Nix profiles: their generations, and which of those are current. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { enumerated } from '../quantity.ts';
import type { Leniency } from './bootspec.ts';
import { quote } from './complaint.ts';
import {
  compareGenerations,
  type Generation,
  type GenerationMemory,
  isMalformed,
  type Link,
  type Malformed,
  readGeneration,
} from './generation.ts';

const NAMED = 'system-profiles';

/**
 * Reads profile and number from the path of a generation's link: `…/system-<N>-link`, or
 * `…/system-profiles/<NAME>-<N>-link`. Returns undefined for any other name, and for numbers that
 * Nix never gives: zero, leading zeros, or more than 2^53 - 1.
 */
export function parseLink(path: string): Link | undefined {
  const parts = path.split('/');
  const match = /^(.+)-([1-9][0-9]{0,15})-link$/s.exec(parts.at(-1) ?? '');
  const name = match?.[1];
  const number = Number(match?.[2]);
  if (name === undefined || !Number.isSafeInteger(number)) return undefined;
  if (parts.at(-2) === NAMED) return { profile: name, number, path };
  return name === 'system' ? { profile: undefined, number, path } : undefined;
}

/** Returns the two directories of links: that of the system profile, and that of named profiles. */
export function profileDirectories(profilesDirectory: string): readonly [string, string] {
  return [profilesDirectory, `${profilesDirectory}/${NAMED}`];
}

/**
 * Returns the links of all generations in a directory of profiles (`/nix/var/nix/profiles`): the
 * system profile first, then named ones by name, each with its newest generation first.
 */
export function findGenerationLinks(disk: Disk, profilesDirectory: string): Link[] {
  return profileDirectories(profilesDirectory)
    .flatMap((directory) => (disk.list(directory) ?? []).map(({ name }) => `${directory}/${name}`))
    .map(parseLink)
    .filter((link) => link !== undefined)
    .sort(compareGenerations);
}

/** Identifies links by their inodes: a link that is changed or made again is another file. */
export function fingerprintOf(links: readonly string[], disk: Disk): string {
  return links
    .map((path) => {
      const { inode, modified, changed } = disk.linkStat(path) ?? {};
      return [path, inode, modified, changed].join('\0');
    })
    .join('\n');
}

/**
 * Returns the real path of the system that a profile currently leads to, or undefined when it
 * leads nowhere.
 * @param profile the name of a named profile; without it, the system profile counts
 */
export function currentToplevel(
  disk: Disk,
  profilesDirectory: string,
  profile?: string,
): string | undefined {
  return disk.realPath(`${profilesDirectory}/${profile ? `${NAMED}/${profile}` : 'system'}`);
}

/**
 * Reads the generations behind links in their order, and separates those that cannot be installed.
 */
export function readGenerations(
  disk: Disk,
  links: readonly Link[],
  memory?: GenerationMemory,
  leniency?: Leniency,
): { readonly generations: readonly Generation[]; readonly malformed: readonly Malformed[] } {
  const generations: Generation[] = [];
  const malformed: Malformed[] = [];
  for (const link of links) {
    const generation = readGeneration(disk, link, memory, leniency);
    if (isMalformed(generation)) malformed.push(generation);
    else generations.push(generation);
  }
  return { generations, malformed };
}

/** Generations of one kind of machine, and those that are set apart because they are for another. */
export interface OneArchitecture {
  readonly generations: readonly Generation[];
  readonly malformed: readonly Malformed[];
}

/**
 * Returns the generations, with their specialisations, that are for one kind of machine: an ESP gets
 * one boot loader. Without `wanted` nobody can tell which of two kinds is this machine's.
 * @param wanted the system double of this machine: generations for another one are set apart
 * @throws {MIXED_ARCHITECTURES} naming each system and its generations, when they disagree without
 * `wanted`, or none of them is for it
 */
export function ofOneArchitecture(
  generations: readonly Generation[],
  wanted?: string,
): OneArchitecture {
  const expected = wanted ?? generations[0]?.bootspec.system;
  const fits = (generation: Generation) =>
    doublesOf(generation).every(({ system }) => system === expected);
  const others = generations.filter((generation) => !fits(generation));
  if (others.length === 0) return { generations, malformed: [] };
  if (wanted === undefined || others.length === generations.length) {
    throw mixed(generations, wanted);
  }
  const malformed = others.map((other) => setApart(other, wanted));
  return { generations: generations.filter(fits), malformed };
}

/** A system double, and whose it is: a specialisation's, or without a name the generation's own. */
interface Double {
  readonly system: string;
  readonly specialisation?: string;
}

function doublesOf({ bootspec }: Pick<Generation, 'bootspec'>): readonly Double[] {
  const { system, specialisations } = bootspec;
  const children = [...specialisations].map(([specialisation, child]) => ({
    system: child.system,
    specialisation,
  }));
  return [{ system }, ...children];
}

function setApart(generation: Generation, wanted: string): Malformed {
  const { profile, number, link } = generation;
  const other = doublesOf(generation).find(({ system }) => system !== wanted);
  const whose =
    other?.specialisation === undefined ? '' : ` specialisation ${quote(other.specialisation)}`;
  const cause = new EspError(
    'MIXED_ARCHITECTURES',
    `${link}:${whose} expected a system for ${wanted}, got ${quote(other?.system ?? '')}`,
    { hint: 'delete this generation: it is not for this machine' },
  );
  return { profile, number, link, cause };
}

function mixed(generations: readonly Generation[], wanted: string | undefined): EspError {
  const systems = new Map<string, string[]>();
  for (const { profile, number, bootspec } of generations) {
    const name = profile === undefined ? `${number}` : `${profile} ${number}`;
    for (const { system } of doublesOf({ bootspec })) {
      const names = systems.get(system) ?? [];
      systems.set(system, names.at(-1) === name ? names : [...names, name]);
    }
  }
  const found = [...systems].map(
    ([system, names]) => `${system} (generation ${enumerated(names, 10)})`,
  );
  return new EspError(
    'MIXED_ARCHITECTURES',
    `expected every generation to be for ${wanted ?? 'the same system'}, got ${found.join(' and ')}`,
    {
      hint:
        wanted === undefined
          ? 'name the system of this machine with --system, as x86_64-linux: generations for another one are then left out'
          : 'build a system for this machine, or correct --system',
    },
  );
}
