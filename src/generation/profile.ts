/** How Nix profiles lay out their generations, and which of them are current. */

import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { Leniency } from './bootspec.ts';
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
 * Nix does not give: zero, leading zeros, or more than 2^53 - 1.
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

/** Returns the directories that hold links: that of the system profile, and that of named ones. */
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

/**
 * Returns the real path of the system that a profile currently leads to, or undefined when it
 * leads nowhere.
 * @param profile the name of a named profile; without it the system profile is asked
 */
export function currentToplevel(
  disk: Disk,
  profilesDirectory: string,
  profile?: string,
): string | undefined {
  return disk.realPath(`${profilesDirectory}/${profile ? `${NAMED}/${profile}` : 'system'}`);
}

/** Reads the generations behind links, in their order, and sets apart those that cannot be installed. */
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

/**
 * Makes sure that all generations, with their specialisations, are for one kind of machine: an ESP
 * gets one boot loader.
 * @param wanted the system double they must all be for; without it they must merely agree
 * @throws {MIXED_ARCHITECTURES} naming each system and its generations
 */
export function assertOneArchitecture(generations: readonly Generation[], wanted?: string): void {
  const systems = new Map<string, string[]>();
  for (const { profile, number, bootspec } of generations) {
    const name = profile === undefined ? `${number}` : `${profile} ${number}`;
    for (const { system } of [bootspec, ...bootspec.specialisations.values()]) {
      const names = systems.get(system) ?? [];
      systems.set(system, names.at(-1) === name ? names : [...names, name]);
    }
  }
  const expected = wanted ?? systems.keys().next().value;
  if ([...systems.keys()].every((system) => system === expected)) return;
  const found = [...systems].map(([system, names]) => `${system} (generation ${shorten(names)})`);
  throw new EspError(
    'MIXED_ARCHITECTURES',
    `expected every generation to be for ${wanted ?? 'the same system'}, got ${found.join(' and ')}`,
    { hint: 'delete the generations that are not for this machine' },
  );
}

/** The first few of many names. */
function shorten(names: readonly string[]): string {
  const more = names.length - 10;
  return `${names.slice(0, 10).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
