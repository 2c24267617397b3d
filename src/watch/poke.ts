/** Watches directories and pokes the loop when anything in them changes, without saying what. */
import { basename, dirname } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';

/** A directory as it was when it was found. */
export interface Place {
  /** Its real path. */
  readonly path: string;
  /** Changes when another directory takes this path: one that was made, moved or mounted there. */
  readonly identity: string;
}

/** What a lookout needs, and the function that it calls. */
export interface Outlook {
  /** Returns the directory that a path leads to now, if it leads to one. */
  readonly locate: (path: string) => Place | undefined;
  readonly poke: () => void;
}

/** Watches directories, also when they move. */
export interface Lookout {
  /**
   * Finds out where the directories are and watches those places. Every change after this call
   * leads to a poke, with two exceptions that the kernel reports to nobody: a mount over a
   * directory, and a new directory under its parents' path. So call this before each pass reads
   * anything.
   * @returns why a place cannot be watched, by its path
   */
  arm(directories: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
  /** The real paths that are watched. */
  watched(): readonly string[];
  close(): Promise<void>;
}

/** A watched place. */
interface Post {
  readonly identity: string;
  readonly watcher: FSWatcher;
}

/** How often to look again because a directory moved meanwhile. */
const ROUNDS = 3;

/** Opens a lookout that watches nothing yet. */
export function openLookout({ locate, poke }: Outlook): Lookout {
  const posts = new Map<string, Post>();
  let left: Promise<unknown> = Promise.resolve();
  const leave = (path: string): void => {
    const closing = posts.get(path)?.watcher.close();
    posts.delete(path);
    left = Promise.all([left, closing]);
  };
  const take = async (path: string, identity: string): Promise<unknown> => {
    // A place that ends is dropped, and the pass after the poke watches it again. By then its inode
    // number may be another directory's, which would look as if nothing had happened.
    const onEnd = (): void => {
      leave(path);
      poke();
    };
    const { watcher, trouble } = await open(path, { poke, onEnd });
    if (trouble === undefined) posts.set(path, { identity, watcher });
    else await watcher.close();
    return trouble;
  };
  const arm = async (directories: readonly string[]): Promise<ReadonlyMap<string, unknown>> => {
    const troubles = new Map<string, unknown>();
    for (let round = 0; round < ROUNDS; round++) {
      const places = new Map(directories.map((path) => nearest(path, locate)));
      const stale = [...posts].filter(([path, { identity }]) => places.get(path) !== identity);
      const fresh = [...places].filter(
        ([path, identity]) => posts.get(path)?.identity !== identity && !troubles.has(path),
      );
      if (stale.length + fresh.length === 0) break;
      for (const [path] of stale) leave(path);
      // chokidar shares its open watches, and would hand out one that is still closing.
      await left;
      for (const [path, identity] of fresh) {
        const trouble = await take(path, identity);
        if (trouble !== undefined) troubles.set(path, trouble);
      }
    }
    return troubles;
  };
  return {
    arm,
    watched: () => [...posts.keys()],
    async close() {
      for (const path of posts.keys()) leave(path);
      await left;
    },
  };
}

/** Returns the directory, or the nearest one above it, where it or its parent may appear. */
function nearest(path: string, locate: Outlook['locate']): [path: string, identity: string] {
  for (let candidate = path; ; candidate = dirname(candidate)) {
    const place = locate(candidate);
    if (place) return [place.path, place.identity];
    if (candidate === dirname(candidate)) return [candidate, ''];
  }
}

/**
 * Watches one directory and nothing in it, with one watch of the kernel, however many links it
 * holds and wherever they lead. chokidar's own events leave out a link that leads nowhere, and a
 * new directory in place of the old one. Its raw events leave nothing out.
 * @param events `onEnd` is called when the directory itself moved, was removed, or cannot be
 * watched
 * @returns the watcher once it watches, and the reason if it does not
 */
async function open(
  path: string,
  { poke, onEnd }: { poke: () => void; onEnd: () => void },
): Promise<{ watcher: FSWatcher; trouble: unknown }> {
  const watcher = watch(path, {
    followSymlinks: false,
    depth: 0,
    ignoreInitial: true,
    persistent: true,
    backend: 'native',
    ignored: (candidate) => candidate !== path,
  });
  // An event of the directory itself has its own name, not that of something in it.
  watcher.on('raw', (_event, name) => (name === basename(path) ? onEnd() : poke()));
  const { promise: ready, resolve } = Promise.withResolvers<unknown>();
  let watching = false;
  watcher.on('error', (error) => (watching ? onEnd() : resolve(error)));
  watcher.on('ready', () => resolve(undefined));
  const trouble = await ready;
  watching = trouble === undefined;
  return { watcher, trouble };
}
