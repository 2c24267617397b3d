/** Pokes: something in some directories may have changed. What it was, nobody is told or asks. */
import { basename, dirname } from 'node:path';
import { type FSWatcher, watch } from 'chokidar';

/** A directory as it was found. */
export interface Place {
  /** Its real path. */
  readonly path: string;
  /** Differs when another directory has come to this path: made anew, moved there, mounted over it. */
  readonly identity: string;
}

/** What the lookout needs and whom it tells. */
export interface Outlook {
  /** Returns the directory that a path leads to at this moment, if it leads to one. */
  readonly locate: (path: string) => Place | undefined;
  readonly poke: () => void;
}

/** Eyes on directories, wherever they are at the moment. */
export interface Lookout {
  /**
   * Looks where the directories are and watches those places. Whatever changes after this has begun
   * leads to a poke, but for two changes that the kernel tells nobody: something mounted over a
   * directory, and a new one under the path of its parents. So arm before each look at the world.
   * @returns why a place cannot be watched, by its path
   */
  arm(directories: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
  /** The real paths that are watched. */
  watched(): readonly string[];
  close(): Promise<void>;
}

/** A place that is watched. */
interface Post {
  readonly identity: string;
  readonly watcher: FSWatcher;
}

/** Rounds of looking again because a directory changed places in the meantime. */
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
    // A place that ends is left, and so armed again by the pass that the poke leads to: its number
    // may by then be another directory's, and look as if nothing had happened.
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
      // chokidar shares what it has open: a watch that is still closing would be handed out again.
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

/** The directory itself, or the nearest one above it in which it or its parent may appear. */
function nearest(path: string, locate: Outlook['locate']): [path: string, identity: string] {
  for (let candidate = path; ; candidate = dirname(candidate)) {
    const place = locate(candidate);
    if (place) return [place.path, place.identity];
    if (candidate === dirname(candidate)) return [candidate, ''];
  }
}

/**
 * Watches one directory and nothing in it: one watch of the kernel, however many links it holds and
 * wherever they lead. chokidar itself tells of what it finds different, and so not of a link that
 * leads nowhere, nor of a new directory where the old one was; its raw events leave nothing out.
 * @param events `onEnd` is called when the directory itself moved, went, or cannot be watched any more
 * @returns the watcher, once it watches, and why it does not, if so
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
  // What happens to the directory itself comes under its own name, not that of something in it.
  watcher.on('raw', (_event, name) => (name === basename(path) ? onEnd() : poke()));
  const { promise: ready, resolve } = Promise.withResolvers<unknown>();
  let watching = false;
  watcher.on('error', (error) => (watching ? onEnd() : resolve(error)));
  watcher.on('ready', () => resolve(undefined));
  const trouble = await ready;
  watching = trouble === undefined;
  return { watcher, trouble };
}
