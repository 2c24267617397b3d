/** Finds the definitions of systemd-repart in directories, with what is dropped in (repart.d(5)). */
import { basename, join } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { PartitionDefinition } from './definition.ts';
import {
  type DefinitionFile,
  type DefinitionSettings,
  parseRepartDefinition,
} from './repart-definition.ts';

/** In bytes. */
const MAX_DEFINITION = 1024 * 1024;
const SUFFIX = '.conf';

/**
 * Returns the partitions that directories define, ordered by the names of their files. Of files with
 * one name, that in the first directory counts; what lies in `NAME.conf.d` is read behind it.
 * @throws {CONFIG_INVALID} when there is no definition, and naming file and key of a wrong one
 */
export function readRepartDefinitions(
  directories: readonly string[],
  settings: DefinitionSettings,
  disk: Disk,
): readonly PartitionDefinition[] {
  for (const directory of directories) {
    if (disk.stat(directory)?.kind === 'directory') continue;
    throw new EspError('CONFIG_INVALID', `--definitions: ${directory} is no directory`);
  }
  const found = firstOfEach(directories, disk).map((path) =>
    parseRepartDefinition([read(path, disk), ...dropIns(path, directories, disk)], settings),
  );
  if (found.length > 0) return found;
  throw new EspError(
    'CONFIG_INVALID',
    `--definitions: expected files *${SUFFIX} in ${directories.join(', ')}, got none`,
  );
}

/** Returns the paths of the definitions in some directories, ordered by name. */
function firstOfEach(directories: readonly string[], disk: Disk): readonly string[] {
  const byName = new Map<string, string>();
  for (const directory of directories) {
    for (const { name } of disk.list(directory) ?? []) {
      const path = join(directory, name);
      if (!name.endsWith(SUFFIX) || byName.has(name)) continue;
      if (disk.stat(path)?.kind === 'file') byName.set(name, path);
    }
  }
  return [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
}

function dropIns(
  path: string,
  directories: readonly string[],
  disk: Disk,
): readonly DefinitionFile[] {
  const own = directories.map((directory) => join(directory, `${basename(path)}.d`));
  return firstOfEach(own, disk).map((dropIn) => read(dropIn, disk));
}

function read(path: string, disk: Disk): DefinitionFile {
  return { path, text: new TextDecoder().decode(disk.read(path, MAX_DEFINITION)) };
}
