/** What lies on an ESP: read by mtools from an image, from a directory, or from the bytes of an image. */
import { createHash, hash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { attempt } from '../lab/run.ts';
import { type FatListing, type Run, readFat } from './fat-image.ts';

/** One file. `sha256` in hex, `size` in bytes. */
export interface EspFile {
  readonly sha256: string;
  readonly size: number;
  /** Its clusters end before it does: firmware refuses to read it. */
  readonly isCutOff: boolean;
  /** Offset in bytes of its first cluster, where that is known: two names of one file have the same. */
  readonly start?: number | undefined;
}

/** Every file by its path. */
export interface Tree {
  readonly files: ReadonlyMap<string, EspFile>;
  /** The same for trees with the same names and contents, but for those of temporary files. */
  readonly identity: string;
  /** Returns the content of a file, for as long as what the tree was read from stays as it is. */
  readonly read: (path: string) => Uint8Array;
}

/** A tree whose files lie in `folder` until the next one is read into it. */
export interface FolderTree extends Tree {
  readonly folder: string;
}

/**
 * Copies everything on an image into `folder`, which is emptied first, and returns it as a tree. A file
 * whose clusters break off is there as far as they go.
 */
export function readImage(image: string, folder: string): FolderTree {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { status } = attempt('mcopy', ['-i', image, '-s', '-n', '-m', '::/*', folder], quiet);
  // mcopy ends at the first file that it cannot read, so on a broken file system each is asked for.
  const cutOff =
    status === 0 ? [] : pathsOn(image).filter((path) => !isCopied(image, path, folder));
  return readFolder(folder, new Set(cutOff));
}

const quiet = { env: { MTOOLS_SKIP_CHECK: '1' } };

/** On a broken file system a directory may be its own parent. */
const DEEPEST = 4;

/** A directory at a time: what is broken in one hides nothing in another. */
function pathsOn(image: string, directory = '', depth = 0): string[] {
  if (depth > DEEPEST) return [];
  const { stdout } = attempt('mdir', ['-i', image, '-b', '-a', `::/${directory}`], quiet);
  const paths = stdout.split('\n').map((line) => line.trim().replace(/^::\//, ''));
  return paths
    .filter((path) => path !== '')
    .flatMap((path) => (path.endsWith('/') ? pathsOn(image, path, depth + 1) : [path]));
}

function isCopied(image: string, path: string, folder: string): boolean {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  return attempt('mcopy', ['-i', image, '-n', '-m', `::/${path}`, target], quiet).status === 0;
}

/** Returns what lies in a folder as a tree. */
export function readFolder(folder: string, cutOff: ReadonlySet<string> = new Set()): FolderTree {
  const files = new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .sort()
      .map((path): [string, EspFile] => {
        const content = readFileSync(join(folder, path));
        const sha256 = hash('sha256', content);
        return [path, { sha256, size: content.length, isCutOff: cutOff.has(path) }];
      }),
  );
  const read = (path: string) => readFileSync(join(folder, path));
  return { folder, files, identity: identityOf(files), read };
}

/** The bytes of an image, and for each of its sectors a number: what has the same one is the same. */
export interface Numbered {
  readonly bytes: Uint8Array;
  readonly sectors: Uint32Array;
}

const SECTOR = 512;

/**
 * Reads images that differ little from one another. Of what it has read before it knows the digest, by
 * the numbers of its sectors. Where files break off, they are there as far as they go.
 */
export class ImageReader {
  readonly #digests = new Map<string, string>();

  /** Returns the tree, a digest of all that is not the content of a file, and whether names are hidden. */
  read(image: Numbered): { tree: Tree; structure: string; isHiding: boolean } {
    const listing = readFat(image.bytes);
    const runsOf = new Map(listing.files.map(({ path, runs }) => [path, runs]));
    const files = new Map(listing.files.map((file) => this.#described(image, file)).sort(byPath));
    return {
      tree: {
        files,
        identity: identityOf(files),
        read: (path) => joined(image.bytes, runsOf.get(path) ?? []),
      },
      structure: numbersOf(image, listing.structure),
      isHiding: listing.isHiding,
    };
  }

  #described(image: Numbered, file: FatListing['files'][number]): [string, EspFile] {
    const { path, runs, isCutOff } = file;
    const size = runs.reduce((sum, { length }) => sum + length, 0);
    const key = `${size} ${numbersOf(image, runs)}`;
    const sha256 = this.#digests.get(key) ?? hash('sha256', joined(image.bytes, runs));
    this.#digests.set(key, sha256);
    return [path, { sha256, size, isCutOff, start: runs[0]?.start }];
  }
}

const byPath = ([a]: [string, EspFile], [b]: [string, EspFile]) => (a < b ? -1 : 1);

/** Returns a digest of where runs lie and of the numbers of their sectors. */
function numbersOf({ sectors }: Numbered, runs: readonly Run[]): string {
  const digest = createHash('sha256');
  for (const { start, length } of runs) {
    digest.update(`${start} ${length} `);
    digest.update(sectors.subarray(start / SECTOR, Math.ceil((start + length) / SECTOR)));
  }
  return digest.digest('hex');
}

function joined(bytes: Uint8Array, runs: readonly Run[]): Uint8Array {
  return Buffer.concat(runs.map(({ start, length }) => bytes.subarray(start, start + length)));
}

/** A temporary file is swept unread: all that counts is whether it is empty, or another file's twin. */
function identityOf(files: Tree['files']): string {
  const known = new Set(
    [...files].flatMap(([path, { sha256 }]) => (path.endsWith('.tmp') ? [] : [sha256])),
  );
  const described = [...files].map(([path, { sha256, size, isCutOff }]) =>
    path.endsWith('.tmp') ? [path, size > 0, known.has(sha256)] : [path, sha256, isCutOff],
  );
  return hash('sha256', JSON.stringify(described));
}

/** Returns the text of a file of a tree, or nothing when it is not there. */
export function textOf(tree: Tree, path: string): string | undefined {
  return tree.files.has(path) ? new TextDecoder().decode(tree.read(path)) : undefined;
}

/** Returns the paths at which two trees differ. */
export function differences(a: Tree, b: Tree): string[] {
  return [...new Set([...a.files.keys(), ...b.files.keys()])]
    .filter((path) => a.files.get(path)?.sha256 !== b.files.get(path)?.sha256)
    .sort();
}
