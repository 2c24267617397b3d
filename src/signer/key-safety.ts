/** Finds out who else could read or replace a private key, by every name on the way to it. */
import { posix } from 'node:path';
import type { Disk, FileStat } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/** The users who may reach a key, and the stores that are public. */
export interface Owner {
  /** The user of this process. Root is trusted too. */
  readonly uid: number;
  /** Directories whose files every user can read, besides `/nix/store`. */
  readonly stores: readonly string[];
}

/** Returns the owner of keys for this process, from its user and its environment. */
export function keyOwner(process: {
  readonly uid: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
}): Owner {
  const store = process.environment['NIX_STORE_DIR'];
  return { uid: process.uid, stores: store === undefined ? [] : [store] };
}

const NIX_STORE = '/nix/store';
/** The kernel follows as many links (path_resolution(7)). */
const MAX_LINKS = 40;

const OTHERS_MAY_USE = 0o077;
const OTHERS_MAY_WRITE = 0o022;
const STICKY = 0o1000;

/**
 * Checks that nobody but root and the owner can read the key, or put another in its place.
 * @param path absolute
 * @throws {KEY_INSECURE} when somebody else can
 * @throws {KEY_INVALID} when the path does not lead to a regular file
 */
export function requireSafeKey(path: string, owner: Owner, disk: Disk): void {
  const steps = walk(path, disk);
  if (steps.at(-1)?.stat.kind !== 'file') throw notAFile(path);
  const trusted = { uid: owner.uid, stores: storesOf(owner, disk) };
  for (const step of steps) {
    const danger = dangers.find(({ applies }) => applies(step, trusted));
    if (danger === undefined) continue;
    throw new EspError(
      'KEY_INSECURE',
      `private key ${path}: ${step.path === path ? 'it' : step.path} ${danger.because(step, trusted)}`,
      { hint: danger.hint(step.path) },
    );
  }
}

/**
 * Returns a warning about a key in a work tree of git: one `git add .` publishes it.
 * @param path absolute
 */
export function workTreeWarnings(path: string, disk: Disk): readonly string[] {
  const real = disk.realPath(path) ?? path;
  for (let at = posix.dirname(real); ; at = posix.dirname(at)) {
    if (disk.linkStat(posix.join(at, '.git'))) {
      return [`private key ${path}: lies in ${at}, a work tree of git: keep it outside of it`];
    }
    if (at === posix.dirname(at)) return [];
  }
}

/** Returns the real paths of the stores, because a walk meets those. */
function storesOf({ stores }: Owner, disk: Disk): readonly string[] {
  return [NIX_STORE, ...stores].map((store) => disk.realPath(store) ?? posix.resolve(store));
}

function notAFile(path: string): EspError {
  return new EspError('KEY_INVALID', `private key ${path}: expected a file, found none`, {
    hint: 'correct the path of the private key in the settings',
  });
}

/** One name on the way: a directory, a link, or the key itself. */
interface Step {
  readonly path: string;
  readonly stat: FileStat;
}

interface Danger {
  readonly applies: (step: Step, owner: Owner) => boolean;
  readonly because: (step: Step, owner: Owner) => string;
  readonly hint: (path: string) => string;
}

const dangers: readonly Danger[] = [
  {
    applies: ({ path }, { stores }) =>
      stores.some((store) => path === store || path.startsWith(`${store}/`)),
    because: () => 'lies in the Nix store, which every user can read',
    hint: () => 'keep the key outside of the store, readable by root alone, and make a new one',
  },
  {
    applies: ({ stat }, { uid }) => stat.uid !== 0 && stat.uid !== uid,
    because: ({ stat }, { uid }) =>
      `belongs to user ${stat.uid}, expected root${uid === 0 ? '' : ` or user ${uid}`}`,
    hint: (path) => `give it to root: chown -h root ${path}`,
  },
  {
    applies: ({ stat }) => stat.kind === 'file' && (stat.mode & OTHERS_MAY_USE) !== 0,
    because: ({ stat }) => `has mode ${octal(stat.mode)}, expected 600 or less`,
    hint: (path) => `take the rights of group and others away: chmod 600 ${path}`,
  },
  {
    // In a sticky directory only the owner of a name can replace it, and each name's owner is
    // checked.
    applies: ({ stat }) =>
      stat.kind === 'directory' &&
      (stat.mode & OTHERS_MAY_WRITE) !== 0 &&
      (stat.mode & STICKY) === 0,
    because: ({ stat }) => `lets others replace what it holds: mode ${octal(stat.mode)}`,
    hint: (path) => `take their right to write away: chmod go-w ${path}`,
  },
];

function octal(mode: number): string {
  return (mode & 0o7777).toString(8);
}

/**
 * Returns every name that the kernel looks up on the way to a path, in that order. The last one is
 * the path's target. The real path alone would miss directories that hold only a link.
 */
function walk(path: string, disk: Disk): readonly Step[] {
  const steps: Step[] = [];
  let links = 0;
  let at = '/';
  const names = ['/', ...namesOf(path)];
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const next = posix.resolve(at, name);
    const stat = disk.linkStat(next);
    if (stat === undefined) return [];
    steps.push({ path: next, stat });
    if (stat.kind !== 'link') {
      at = next;
      continue;
    }
    const target = disk.readLink(next);
    if (target === undefined || ++links > MAX_LINKS) return [];
    names.unshift(...(target.startsWith('/') ? ['/'] : []), ...namesOf(target));
  }
  return steps;
}

function namesOf(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}
