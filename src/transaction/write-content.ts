/** Writes the content that a recipe describes as a new file. */
import type { Progress } from '../context.ts';
import { hash } from '../digest.ts';
import type { FileStat, WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { EspPath } from '../esp/layout.ts';
import { type Content, isImage } from '../plan/step.ts';
import { signedFile, stream } from '../recipe/pieces.ts';
import { bytesOf, imageLayout } from '../recipe/recipe.ts';
import type { Signer } from '../signer/signer.ts';
import { assemble, fill, requireUnchanged } from './assemble.ts';

/** What turning a recipe into bytes needs. */
export interface ContentSources {
  readonly disk: WritableDisk;
  readonly signer: Signer;
  /** The sources as they were when their digests were taken, by path. */
  readonly sources: ReadonlyMap<string, FileStat>;
  /** Where on `disk` a path of the ESP lies. */
  readonly place: (path: EspPath) => string;
  readonly progress?: Progress;
}

/** In bytes. Only boot loaders are copied on the ESP. */
const MAX_COPIED = 16 * 1024 * 1024;

/** In milliseconds: how often a copy that the kernel makes is looked at. */
const GLANCE = 500;

/**
 * Writes content to a new file, makes it durable and returns its size in bytes. Memory does not grow
 * with the size.
 * @throws {SOURCE_CHANGED} when a source is no longer the file whose digest was taken
 */
export async function writeContent(
  content: Content,
  path: string,
  workshop: ContentSources,
): Promise<number> {
  const { disk } = workshop;
  if (isImage(content)) {
    const size = await assemble(imageLayout(content, disk), path, workshop);
    const files = content.sections.flatMap((section) =>
      section.content.kind === 'file' ? [section.content.path] : [],
    );
    requireUnchanged(files, workshop);
    return size;
  }
  switch (content.kind) {
    case 'text':
    case 'digest': {
      const bytes = bytesOf(content);
      await fill(disk, path, (file) => file.write(bytes));
      workshop.progress?.advance(bytes.length);
      return bytes.length;
    }
    case 'file':
      await watchedCopy(content.path, path, workshop);
      requireUnchanged([content.path], workshop);
      return disk.stat(path)?.size ?? 0;
    case 'signed': {
      using source = disk.open(content.path);
      const layout = signedFile(source, content.path, workshop.signer);
      await fill(disk, path, (file) =>
        stream(layout.pieces, disk, (bytes) => {
          workshop.progress?.advance(bytes.length);
          return file.write(bytes);
        }),
      );
      requireUnchanged([content.path], workshop);
      return layout.size;
    }
    case 'copied': {
      const from = workshop.place(content.path);
      const bytes = disk.read(from, MAX_COPIED);
      if (hash(bytes) !== content.digest) throw changed(from);
      await fill(disk, path, (file) => file.write(bytes));
      workshop.progress?.advance(bytes.length);
      return bytes.length;
    }
    case 'kept':
      throw new RangeError('"content" expected something to write, got what stays as it is');
  }
}

/** Copies a file. Only the size of the copy tells how far the kernel has come. */
async function watchedCopy(
  from: string,
  to: string,
  { disk, progress }: ContentSources,
): Promise<void> {
  let told = 0;
  const tell = () => {
    const size = disk.stat(to)?.size ?? told;
    progress?.advance(size - told);
    told = size;
  };
  const timer = progress && setInterval(tell, GLANCE).unref();
  try {
    await disk.copy(from, to);
    if (progress) tell();
  } finally {
    clearInterval(timer);
  }
}

/** What was judged is what is copied, and nothing else. */
function changed(path: string): EspError {
  return new EspError('SOURCE_CHANGED', `${path}: it is not what it was when it was looked at`, {
    hint: 'run again when nothing else writes to the ESP',
  });
}
