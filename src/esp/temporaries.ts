/** Unfinished files of killed runs, and which of them share their clusters with the file they became. */
import { hash } from '../digest.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { type EspPath, isShortName, isTemporaryName } from './layout.ts';

/** An unfinished file of a run that was killed, or an empty one whose name was. Size in bytes. */
export interface TemporaryFile {
  readonly path: EspPath;
  readonly size: number;
  /**
   * The file that it became. Power was lost in the middle of a rename, and both names lead to the
   * same clusters: to remove or replace either would free what the other holds. Only a file system
   * check can tell them apart.
   */
  readonly twin?: EspPath;
}

/** What tells files apart, the cheapest first: each is asked only of those that those before it let be twins. */
const TELLS: readonly ((disk: Disk, path: string, size: number) => string)[] = [
  (_disk, _path, size) => String(size),
  (disk, path) => digestsOf(disk, path, HEAD, HEAD),
  (disk, path, size) => digestsOf(disk, path, CHUNK, size),
];

/** Bytes of a file that tell it from most others of its size. */
const HEAD = 4096;
/** Bytes read at a time. */
const CHUNK = 1024 * 1024;

/**
 * Returns the unfinished files among the files of one directory; with the entry token, those too that lost
 * their names. However many there are, each file is
 * read once, and whole only where its size and its first bytes are those of an unfinished one.
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

/** The digests of the first `end` bytes of a file, chunk by chunk; memory does not grow with its size. */
function digestsOf(disk: Disk, path: string, chunk: number, end: number): string {
  try {
    using file = disk.open(path);
    const digests: string[] = [];
    for (let at = 0; at < end; at += chunk) digests.push(hash(file.read(at, chunk)));
    return digests.join();
  } catch (error) {
    // Another run may have renamed or removed it since it was listed: then it is nobody's twin.
    if (error instanceof EspError && error.code === 'FILE_MISSING') return path;
    throw error;
  }
}
