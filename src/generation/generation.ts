/** What a generation is: a numbered link of a profile to a system that can boot. */
import type { Disk, FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { BOOTSPEC_LIMIT, type Bootspec, type Leniency, parseBootspec } from './bootspec.ts';
import { synthesise } from './synthesise.ts';
import { withVerity } from './verity.ts';

/** A generation's link, as its name alone tells it. */
export interface Link {
  /** Undefined for the system profile. */
  readonly profile?: string | undefined;
  readonly number: number;
  readonly path: string;
}

/** A generation that is whole: every file that booting it needs is there. */
export interface Generation {
  /** Undefined for the system profile. */
  readonly profile?: string | undefined;
  readonly number: number;
  /** The path of the link. */
  readonly link: string;
  /** The real path the link leads to: what makes two generations the same system. */
  readonly toplevel: string;
  /** When the link was made, in seconds since the epoch. */
  readonly builtAt: number;
  readonly bootspec: Bootspec;
  /** Whether the bootspec was put together for want of a `boot.json`. */
  readonly synthesised: boolean;
}

/** A generation that cannot be installed. It stops no other, and what it has on the ESP stays. */
export interface Malformed {
  readonly profile?: string | undefined;
  readonly number: number;
  readonly link: string;
  readonly cause: EspError;
}

/** Tells a generation that cannot be installed from one that can. */
export function isMalformed(generation: Generation | Malformed): generation is Malformed {
  return 'cause' in generation;
}

/** Orders the system profile before named ones, and newer generations before older ones. */
export function compareGenerations(
  a: Pick<Link, 'profile' | 'number'>,
  b: Pick<Link, 'profile' | 'number'>,
): number {
  if (a.profile === b.profile) return b.number - a.number;
  if (a.profile === undefined) return -1;
  return b.profile !== undefined && a.profile < b.profile ? -1 : 1;
}

/**
 * Generations that were found whole, by the path of their link: for a service that looks again and
 * again at a thousand that do not change. A link that is still the same one is not followed again,
 * so whoever keeps this has to forget it once in a while.
 */
export type GenerationMemory = Map<
  string,
  { readonly stat: FileStat; readonly generation: Generation }
>;

/**
 * Reads the generation behind a link and looks for every file that booting it needs, its
 * specialisations included. Whatever is wrong with it is returned, not thrown.
 */
export function readGeneration(
  disk: Disk,
  link: Link,
  memory?: GenerationMemory,
  leniency?: Leniency,
): Generation | Malformed {
  const name = { profile: link.profile, number: link.number, link: link.path };
  try {
    requireNameable(link);
    const stat = disk.linkStat(link.path);
    const known = memory?.get(link.path);
    if (known && stat && isSameFile(known.stat, stat)) return known.generation;
    const generation = { ...name, ...readSystem(disk, link.path, stat, leniency) };
    if (stat) memory?.set(link.path, { stat, generation });
    return generation;
  } catch (cause) {
    if (cause instanceof EspError) return { ...name, cause };
    throw cause;
  }
}

/** A name on the ESP tells fifteen digits of a number: an entry of a larger one would not be known again. */
const LARGEST_NUMBER = 10 ** 15 - 1;

function requireNameable({ path, number }: Link): void {
  if (number <= LARGEST_NUMBER) return;
  throw new EspError('GENERATION_BROKEN', `${path}: expected a number of at most 15 digits`, {
    hint: 'Nix counts generations from 1: give it the next number, or delete this link',
  });
}

type LinkedSystem = Pick<Generation, 'toplevel' | 'builtAt' | 'bootspec' | 'synthesised'>;

function readSystem(
  disk: Disk,
  link: string,
  stat: FileStat | undefined,
  leniency?: Leniency,
): LinkedSystem {
  // `boot.json` may name another toplevel, as that of the system which a wrapper was built around.
  // The link wins: the profile, the install hook and garbage collection know the system by it.
  // What is booted is what `boot.json` says, so its own `init` and `toplevel` stay as they are.
  const toplevel = disk.realPath(link);
  if (stat === undefined || toplevel === undefined) {
    throw new EspError('GENERATION_BROKEN', `${link}: expected a system, got nothing`, {
      hint: 'delete this generation: what it leads to is gone from the Nix store',
    });
  }
  const { bootspec: described, synthesised } = describeSystem(disk, toplevel, leniency);
  const specialisations = [...described.specialisations].map(
    ([name, child]) => [name, withVerity(child, child.toplevel, disk)] as const,
  );
  const bootspec = {
    ...withVerity(described, toplevel, disk),
    specialisations: new Map(specialisations),
  };
  requireFiles(disk, bootspec, leniency);
  for (const specialisation of bootspec.specialisations.values()) {
    requireFiles(disk, specialisation, leniency);
  }
  return { toplevel, builtAt: toSeconds(stat.modified), bootspec, synthesised };
}

/**
 * A `boot.json` that cannot be read is not replaced by a synthesised one: either the store is
 * damaged, or the document says something that this program would silently leave out.
 */
function describeSystem(
  disk: Disk,
  toplevel: string,
  leniency?: Leniency,
): Pick<Generation, 'bootspec' | 'synthesised'> {
  const file = `${toplevel}/boot.json`;
  if (disk.linkStat(file) === undefined) {
    return { bootspec: synthesise(disk, toplevel), synthesised: true };
  }
  const bootspec = parseBootspec(decode(disk.read(file, BOOTSPEC_LIMIT), file), file, leniency);
  return { bootspec, synthesised: false };
}

function isSameFile(a: FileStat, b: FileStat): boolean {
  return (
    a.device === b.device &&
    a.inode === b.inode &&
    a.size === b.size &&
    a.modified === b.modified &&
    a.changed === b.changed
  );
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new EspError('BOOTSPEC_MALFORMED', `${file}: expected UTF-8, got other bytes`, { cause });
  }
}

/** A power failure may leave files of the store empty, so an empty one counts as missing. */
function requireFiles(disk: Disk, bootspec: Bootspec, { anyInit }: Leniency = {}): void {
  const { kernel, initrd, initrdSecrets, devicetree, toplevel } = bootspec;
  const init = anyInit ? undefined : bootspec.init;
  if (disk.stat(toplevel)?.kind !== 'directory') throw missing('toplevel', toplevel, 'a directory');
  for (const [role, path] of Object.entries({ kernel, initrd, init, initrdSecrets, devicetree })) {
    if (path === undefined) continue;
    const stat = disk.stat(path);
    if (stat?.kind !== 'file' || stat.size === 0) throw missing(role, path, 'a file with content');
  }
}

function missing(role: string, path: string, expected: string): EspError {
  return new EspError('GENERATION_BROKEN', `${role} ${path}: expected ${expected}, got none`, {
    hint: 'repair the store with `nix-store --verify --check-contents --repair`, or delete this generation',
  });
}

/** The last second of the year 9999: later times have no date of four digits. */
const LAST_SECOND = 253_402_300_799;

function toSeconds(milliseconds: number): number {
  return Math.min(Math.max(0, Math.floor(milliseconds / 1000)), LAST_SECOND);
}

/**
 * Returns the kernel's version for use in file names: what follows the last `-` in the name of the
 * directory that holds it, as `6.12.3` in `/nix/store/…-linux-6.12.3/bzImage`. This is lanzaboote's
 * rule, so that moving from it rewrites nothing. At most 32 characters of `[A-Za-z0-9._+]`.
 */
export function kernelVersion(bootspec: Pick<Bootspec, 'kernel'>): string {
  const version = bootspec.kernel.split('/').at(-2)?.split('-').at(-1) ?? '';
  return version.replace(/[^A-Za-z0-9._+]/g, '').slice(0, 32) || 'unknown';
}

/** The longest name of a specialisation that is shown, in UTF-16 units. */
const NAME_LIMIT = 100;

/**
 * Returns what tells entries of the same label apart: `Generation 5, 2026-11-20`, or
 * `Generation 5-gaming, 2026-11-20` for a specialisation. The date is the link's, in UTC.
 */
export function versionTag(
  generation: Pick<Generation, 'number' | 'builtAt'>,
  specialisation?: string,
): string {
  const date = new Date(generation.builtAt * 1000).toISOString().slice(0, 10);
  const suffix = specialisation === undefined ? '' : `-${printable(specialisation)}`;
  return `Generation ${generation.number}${suffix}, ${date}`;
}

/** Removes what steers a terminal or a menu: controls, line ends, direction marks, half characters. */
function printable(name: string): string {
  return name.slice(0, NAME_LIMIT).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '');
}
