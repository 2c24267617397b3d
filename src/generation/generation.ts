/** What a generation is: a numbered link of a profile to a system that can boot. */
import type { Disk, FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { compareVersions } from '../version.ts';
import {
  BOOTSPEC_LIMIT,
  type Bootspec,
  type InstalledKernel,
  type Leniency,
  parseBootspec,
} from './bootspec.ts';
import { synthesise } from './synthesise.ts';
import { withVerity } from './verity.ts';

/** What the name of a generation's link says. */
export interface Link {
  /** Undefined for the system profile. */
  readonly profile?: string | undefined;
  readonly number: number;
  readonly path: string;
  /** Of an installed kernel: its release, as the name of its system says. */
  readonly release?: string | undefined;
}

/** A whole generation: every file that it needs to boot is there. */
export interface Generation {
  /** Undefined for the system profile. */
  readonly profile?: string | undefined;
  readonly number: number;
  /** The path of the link. */
  readonly link: string;
  /** As {@link Link.release}. */
  readonly release?: string | undefined;
  /** The real path of the link's target. Generations with one toplevel are the same system. */
  readonly toplevel: string;
  /** When the link was made, in seconds since the epoch. */
  readonly builtAt: number;
  readonly bootspec: Bootspec;
  /** Whether there was no `boot.json`, so that the bootspec was made from other files. */
  readonly synthesised: boolean;
}

/** A generation that cannot be installed. It stops no other, and its files on the ESP stay. */
export interface Malformed {
  readonly profile?: string | undefined;
  readonly number: number;
  readonly link: string;
  readonly release?: string | undefined;
  readonly cause: EspError;
}

/** Returns whether a generation cannot be installed. */
export function isMalformed(generation: Generation | Malformed): generation is Malformed {
  return 'cause' in generation;
}

/** A system by what boots it, and by every path under which it is known. */
export interface KnownSystem {
  /** What a command line tells of it: the directory that holds its `init`, or itself where it has none. */
  readonly boots: string;
  readonly paths: readonly string[];
}

/**
 * Returns the systems of a generation, its own first and then its specialisations. The link of a
 * generation may lead to a wrapper around its system, so the path it leads to is no more than a name.
 */
export function systemsOf({
  toplevel,
  bootspec,
}: Pick<Generation, 'toplevel' | 'bootspec'>): readonly [KnownSystem, ...KnownSystem[]] {
  const { specialisations } = bootspec;
  const own = knownSystem(bootspec);
  return [
    { ...own, paths: [toplevel, ...own.paths] },
    ...[...specialisations.values()].map(knownSystem),
  ];
}

function knownSystem({ init, toplevel }: Pick<Bootspec, 'init' | 'toplevel'>): KnownSystem {
  const boots = init === undefined ? toplevel : init.slice(0, init.lastIndexOf('/'));
  return { boots, paths: [toplevel, boots] };
}

/**
 * Orders the system profile before named ones, and newer generations before older ones. Of installed
 * kernels the newer is the one of the higher release (UAPI.10), then the one that was added later.
 */
export function compareGenerations(
  a: Pick<Link, 'profile' | 'number' | 'release'>,
  b: Pick<Link, 'profile' | 'number' | 'release'>,
): number {
  if (a.profile === b.profile)
    return compareVersions(b.release ?? '', a.release ?? '') || b.number - a.number;
  if (a.profile === undefined) return -1;
  return b.profile !== undefined && a.profile < b.profile ? -1 : 1;
}

/**
 * Whole generations by the path of their link, for a service that reads the same thousand again and
 * again. A link that is still the same is not followed again, so the service must clear this now
 * and then.
 */
export type GenerationMemory = Map<
  string,
  { readonly stat: FileStat; readonly generation: Generation }
>;

/**
 * Reads the generation behind a link, and checks that every file that it needs to boot exists,
 * including those of specialisations. It returns every fault, and throws none.
 */
export function readGeneration(
  disk: Disk,
  link: Link,
  memory?: GenerationMemory,
  leniency?: Leniency,
): Generation | Malformed {
  const { profile, number, path, release } = link;
  const name = { profile, number, link: path, ...(release === undefined ? {} : { release }) };
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
  // `boot.json` may name another toplevel, such as that of a system inside a wrapper. The link
  // wins: profile, install hook and garbage collection know the system by it. But `init` and
  // `toplevel` of `boot.json` stay, because they say what boots.
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
 * Never replaces an unreadable `boot.json` by a synthesised one: either the store is damaged, or
 * the document says something that the other would silently omit.
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

/** A power failure may empty files of the store, so an empty file counts as missing. */
function requireFiles(disk: Disk, bootspec: Bootspec, { anyInit }: Leniency = {}): void {
  const { kernel, initrd, initrdSecrets, devicetree, toplevel, installed } = bootspec;
  const init = anyInit ? undefined : bootspec.init;
  const hint = installed
    ? `once its package has made it, add it again: \`espalier kernel add ${installed.release}\``
    : 'repair the store with `nix-store --verify --check-contents --repair`, or delete this generation';
  if (disk.stat(toplevel)?.kind !== 'directory')
    throw missing('toplevel', toplevel, { expected: 'a directory', hint });
  if (installed) requireModules(disk, installed);
  for (const [role, path] of Object.entries({ kernel, initrd, init, initrdSecrets, devicetree })) {
    if (path === undefined) continue;
    const stat = disk.stat(path);
    if (stat?.kind !== 'file' || stat.size === 0)
      throw missing(role, path, { expected: 'a file with content', hint });
  }
}

/** A kernel without its modules finds no disk, and panics. */
function requireModules(disk: Disk, { release, modules }: InstalledKernel): void {
  if (disk.stat(modules)?.kind === 'directory') return;
  throw new EspError(
    'GENERATION_BROKEN',
    `${modules}: expected the modules of Linux ${release}, got none`,
    { hint: `install the package of that kernel again, or \`espalier kernel remove ${release}\`` },
  );
}

function missing(
  role: string,
  path: string,
  { expected, hint }: { readonly expected: string; readonly hint: string },
): EspError {
  return new EspError('GENERATION_BROKEN', `${role} ${path}: expected ${expected}, got none`, {
    hint,
  });
}

/** The last second of the year 9999. Later dates have more than four digits. */
const LAST_SECOND = 253_402_300_799;

function toSeconds(milliseconds: number): number {
  return Math.min(Math.max(0, Math.floor(milliseconds / 1000)), LAST_SECOND);
}

/**
 * Returns the kernel's version for file names: the part after the last `-` in the name of its
 * directory, as `6.12.3` in `/nix/store/…-linux-6.12.3/bzImage`. lanzaboote has the same rule, so
 * moving from it rewrites nothing. At most 32 characters of `[A-Za-z0-9._+]`. Of an installed kernel it is
 * the release, which also may have `-`.
 */
export function kernelVersion(bootspec: Pick<Bootspec, 'kernel' | 'installed'>): string {
  const { installed } = bootspec;
  if (installed) return installed.release.replace(/[^A-Za-z0-9._+-]/g, '').slice(0, 64);
  const version = bootspec.kernel.split('/').at(-2)?.split('-').at(-1) ?? '';
  return version.replace(/[^A-Za-z0-9._+]/g, '').slice(0, 32) || 'unknown';
}

/** In UTF-16 units. A longer name of a specialisation is cut. */
const NAME_LIMIT = 100;

/**
 * Returns the text that tells entries with one label apart: `Generation 5, 2026-11-20`, or
 * `Generation 5-gaming, 2026-11-20` for a specialisation, or `6.12.9-amd64, generation 5, 2026-11-20` for
 * an installed kernel. The date is the link's, in UTC.
 */
export function versionTag(
  generation: Pick<Generation, 'number' | 'builtAt' | 'release'>,
  specialisation?: string,
): string {
  const date = new Date(generation.builtAt * 1000).toISOString().slice(0, 10);
  const suffix = specialisation === undefined ? '' : `-${printable(specialisation)}`;
  const { release, number } = generation;
  // A loader orders entries by this text: the release comes first there.
  if (release !== undefined) return `${release}, generation ${number}, ${date}`;
  return `Generation ${number}${suffix}, ${date}`;
}

/**
 * Removes characters that control a terminal or menu: controls, line ends, direction marks, half
 * pairs.
 */
function printable(name: string): string {
  return name.slice(0, NAME_LIMIT).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '');
}
