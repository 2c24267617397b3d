/** Patterns of file names, as shells have them. */
import { join, matchesGlob } from 'node:path';
import type { Disk } from '../disk/disk.ts';

const IS_PATTERN = /[*?[{]/;

/** Whether a path has a pattern in it. */
export function isPattern(path: string): boolean {
  return IS_PATTERN.test(path);
}

/**
 * Returns the paths that a pattern matches, sorted. As in a shell, `*` stays within one directory
 * and does not match a dot at the beginning of a name.
 */
export function expand(pattern: string, disk: Disk): readonly string[] {
  let found: readonly string[] = ['/'];
  for (const part of pattern.split('/').filter((name) => name !== '')) {
    found = found.flatMap((directory) => matches(directory, part, disk));
  }
  return found;
}

function matches(directory: string, part: string, disk: Disk): readonly string[] {
  if (!isPattern(part)) {
    const path = join(directory, part);
    return disk.linkStat(path) === undefined ? [] : [path];
  }
  return (disk.list(directory) ?? [])
    .filter(({ name }) => matchesGlob(name, part))
    .map(({ name }) => join(directory, name));
}

/** What a pattern of `exclude` takes away: the name and what is below it, or only the latter. */
export type Exclusion = 'whole' | 'content' | undefined;

/** Returns what patterns take away at a path below the source, which has no slash at either end. */
export function exclusionOf(path: string, patterns: readonly string[]): Exclusion {
  const takes = (pattern: string) => matchesGlob(path, pattern.replace(/^\/|\/$/g, ''));
  const taking = patterns.filter(takes);
  if (taking.some((pattern) => !pattern.endsWith('/'))) return 'whole';
  return taking.length > 0 ? 'content' : undefined;
}
