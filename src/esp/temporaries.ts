/**
 * Finds unfinished files of killed runs, and those that share clusters with their finished file.
 */
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { EspPath } from './layout.ts';
import { isShortName, isTemporaryName } from './temporary-name.ts';

/** An unfinished file of a killed run, or an empty file whose name is unfinished. Size in bytes. */
export interface TemporaryFile {
  readonly path: EspPath;
  readonly size: number;
  /**
   * The finished file with the same clusters. Power was lost in the middle of a rename, so both
   * names lead to them: removing or replacing one would free what the other holds. Only a file
   * system check can tell the two apart.
   */
  readonly twin?: EspPath;
}

/**
 * Tests for twins, the cheapest first. Each runs only on files that all earlier tests leave as
 * twins.
 */
const TELLS: readonly ((disk: Disk, path: string, size: number) => string)[] = [
  (_disk, _path, size) => String(size),
  // A rename leaves a file's time as it is: two names of one file tell the same. A copy of a file that is
  // beside it, as of the previous boot loader, was written later.
  (disk, path) => String(disk.stat(path)?.modified),
  (disk, path) => digestsOf(disk, path, HEAD, HEAD),
  (disk, path, size) => digestsOf(disk, path, CHUNK, size),
];

/** In bytes. The beginning of a file tells it from most others of its size. */
const HEAD = 4096;
/** Bytes read at a time. */
const CHUNK = 1024 * 1024;

/**
 * Returns the unfinished files among the files of one directory. With the entry token, files that
 * lost their long names count too. Each file is read once, however many there are, and whole only
 * if its size and first bytes equal those of an unfinished one.
 */
export function scanTemporaries(
  disk: Disk,
  root: string,
  files: readonly { readonly name: string; readonly path: EspPath }[],
  token?: string,
): TemporaryFile[] {
  const measure = ({ path }: { readonly path: EspPath }): TemporaryFile[] => {
    const size = disk.stat(`${root}/${path}`)?.size;
    return size === undefined ? [] : [{ path, size }];
  };
  const isNameless = (name: string) => token !== undefined && isShortName(token, name);
  const nameless = files.filter(({ name }) => isNameless(name)).flatMap(measure);
  const temporaries = [
    ...files.filter(({ name }) => isTemporaryName(name)).flatMap(measure),
    ...nameless.filter(({ size }) => size === 0),
  ];
  const unfinished = temporaries.filter(({ size }) => size > 0);
  if (unfinished.length === 0) return temporaries;
  const finished = files.filter(({ name }) => !isTemporaryName(name)).flatMap(measure);
  const twins = findTwins(disk, root, unfinished, finished);
  return temporaries.map((file) => {
    const twin = twins.get(file.path);
    return twin === undefined ? file : { ...file, twin };
  });
}

/** Returns for each unfinished file a finished one with the same content, if there is one. */
function findTwins(
  disk: Disk,
  root: string,
  unfinished: readonly TemporaryFile[],
  finished: readonly TemporaryFile[],
): ReadonlyMap<EspPath, EspPath> {
  let groups = [{ unfinished, finished }];
  for (const tell of TELLS) {
    const told = ({ path, size }: TemporaryFile) => tell(disk, `${root}/${path}`, size);
    groups = groups.flatMap((group) => {
      const others = Map.groupBy(group.finished, told);
      return [...Map.groupBy(group.unfinished, told)].flatMap(([key, same]) => {
        const alike = others.get(key);
        return alike ? [{ unfinished: same, finished: alike }] : [];
      });
    });
  }
  return new Map(
    groups.flatMap((group) =>
      group.unfinished.flatMap(({ path }) => {
        const [twin] = group.finished;
        return twin ? [[path, twin.path] as const] : [];
      }),
    ),
  );
}

/**
 * Yields digests of growing parts of a file, up to `end` bytes. Memory does not grow with its size.
 */
function digestsOf(disk: Disk, path: string, chunk: number, end: number): string {
  try {
    using file = disk.open(path);
    const digests: string[] = [];
    for (let at = 0; at < end; at += chunk) digests.push(hash(file.read(at, chunk)));
    return digests.join();
  } catch (error) {
    // Another run may have renamed or removed the file since it was listed. Then it has no twin.
    if (error instanceof EspError && error.code === 'FILE_MISSING') return path;
    throw error;
  }
}
