/** Contents as files of their own, for programs that read nothing else. */
import { join } from 'node:path';
import { EspError } from '../error.ts';
import { ContentReader } from '../tree/content-reader.ts';
import type { TreeNode } from '../tree/node.ts';
import type { Workshop } from './request.ts';

/** In bytes. */
const PIECE = 1024 * 1024;
const PERMISSIONS = 0o7777;

/** Writes bytes to a new file of the scratch directory. Returns the path for another program. */
export type Stage = (bytes: Iterable<Uint8Array>) => Promise<string>;

/** Returns what makes new files in the scratch directory, apart from those of other file systems. */
export function stageIn({ disk, scratch }: Workshop): Stage {
  const directory = disk.makeTemporary(scratch, 'staged-');
  let count = 0;
  return async (bytes) => {
    const path = join(directory, `content-${++count}`);
    const file = await disk.create(path);
    try {
      for (const piece of bytes) await file.write(piece);
    } finally {
      // Nobody needs it after a power cut, so it is not made durable.
      await file.abandon();
    }
    return hostPathOf(path, disk);
  };
}

/** A file that another program reads a content from. */
export interface Source {
  readonly path: string;
  /** Its permission bits. */
  readonly mode: number;
}

/** Finds the contents of a tree for another program. Disposing of it closes what it reads from. */
export class Sources implements Disposable {
  readonly #workshop: Workshop;
  readonly #stage: Stage;
  readonly #reader: ContentReader;
  #empty: Promise<Source> | undefined;

  constructor(workshop: Workshop, stage: Stage) {
    this.#workshop = workshop;
    this.#stage = stage;
    this.#reader = new ContentReader(workshop.disk);
  }

  /**
   * Returns where the content of a file is: in its own file, or in a copy where it lies within a tar
   * file or in memory, or its file has another size by now.
   */
  of(node: TreeNode): Source | Promise<Source> {
    const { content, size } = node;
    if (content === undefined) {
      this.#empty ??= this.#staged([]);
      return this.#empty;
    }
    const { disk } = this.#workshop;
    const stat = 'path' in content && content.offset === 0 ? disk.stat(content.path) : undefined;
    return 'path' in content && stat?.size === size
      ? { path: hostPathOf(content.path, disk), mode: stat.mode & PERMISSIONS }
      : this.#staged(pieces(node, this.#reader));
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }

  async #staged(bytes: Iterable<Uint8Array>): Promise<Source> {
    const path = await this.#stage(bytes);
    return { path, mode: (this.#workshop.disk.stat(path)?.mode ?? 0) & PERMISSIONS };
  }
}

function* pieces(node: TreeNode, reader: ContentReader): Generator<Uint8Array> {
  for (let at = 0; at < node.size; at += PIECE) {
    const memory = new Uint8Array(Math.min(PIECE, node.size - at));
    reader.readInto(node, at, memory);
    yield memory;
  }
}

function hostPathOf(path: string, disk: Workshop['disk']): string {
  const hostPath = disk.hostPath(path);
  if (hostPath !== undefined) return hostPath;
  throw new EspError('CONFIG_INVALID', `${path}: expected a file of the running system`, {
    hint: 'programs that make file systems read files of the running system only',
  });
}
