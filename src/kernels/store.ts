/** The store of installed kernels: files by their digest, and systems that name them. */
import { basename } from 'node:path';
import { readRange } from '../byte-source.ts';
import { base32, type Digest, hash, parseBase32 } from '../digest.ts';
import { digestIn } from '../disk/digest-in.ts';
import type { Disk, WritableDisk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { BOOTSPEC, INSTALLED, SYSTEMD_BOOT } from '../generation/bootspec.ts';
import type { KernelPlaces } from '../generation/installed-kernels.ts';
import { SYSTEM_PARAMETER } from '../uki/cmdline.ts';

/** What a system boots: paths of files in the store, and texts. */
export interface SystemParts {
  readonly release: string;
  readonly system: string;
  readonly kernel: string;
  readonly initrd?: string;
  readonly devicetree?: string;
  readonly modules: string;
  readonly parameters: readonly string[];
  readonly label: string;
  readonly sortKey: string;
}

/** The kernel unpacks archives that begin at multiples of four bytes (Linux, buffer format). */
const ALIGNMENT = 4;
const DOCUMENT = 'boot.json';
const UNFINISHED = '.new-';

/** The store. The names in it tell what they hold, so nothing that is whole is replaced. */
export interface KernelStore {
  readonly disk: WritableDisk;
  readonly places: KernelPlaces;
}

/**
 * Keeps the content of files, one behind the other, as one file. Returns its path.
 * @throws {FILE_MISSING} {SOURCE_CHANGED} {SHORT_WRITE} {IO}
 */
export async function keepFile(
  { disk, places: { files } }: KernelStore,
  name: string,
  paths: readonly string[],
): Promise<string> {
  const [first] = paths;
  const single = paths.length === 1 ? first : undefined;
  const placeOf = (path: string) => `${files}/${base32(digestIn(path, disk))}-${name}`;
  const known = single && placeOf(single);
  if (known && isWhole(known, disk)) return known;
  disk.makeDirectory(files);
  const temporary = `${files}/${UNFINISHED}${process.pid}`;
  // SAFETY: nothing boots from an unfinished file of an earlier run.
  disk.remove(temporary);
  // The kernel makes the copy of a single file: where the file system can, it shares the blocks.
  if (single !== undefined) await disk.copy(single, temporary);
  else await join(paths, temporary, disk);
  const kept = placeOf(temporary);
  // SAFETY: the content is durable, and a file of this name has the same content or is damaged.
  disk.rename(temporary, kept);
  // SAFETY: entries on the ESP hold their own copies: what booted before boots still.
  disk.syncDirectory(files);
  return kept;
}

async function join(paths: readonly string[], to: string, disk: WritableDisk): Promise<void> {
  const file = await disk.create(to);
  try {
    for (const path of paths) {
      using source = disk.open(path);
      for (const bytes of readRange(source, { offset: 0, size: source.size }))
        await file.write(bytes);
      const padding = (ALIGNMENT - (source.size % ALIGNMENT)) % ALIGNMENT;
      if (padding > 0) await file.write(new Uint8Array(padding));
    }
  } catch (error) {
    await file.abandon();
    throw error;
  }
  await file.finish();
}

/** Whether a file of the store is there, and still holds what its name says. */
function isWhole(path: string, disk: Disk): boolean {
  const [, digest = ''] = /\/([a-z2-7]{52})-[^/]+$/.exec(path) ?? [];
  return disk.stat(path)?.kind === 'file' && parseBase32(digest) === digestIn(path, disk);
}

/** Makes a system of its parts, unless there is one of the same parts. Returns its path. */
export async function keepSystem(
  { disk, places: { systems } }: KernelStore,
  parts: SystemParts,
): Promise<string> {
  const toplevel = `${systems}/${base32(digestOf(parts))}-linux-${parts.release}`;
  const text = `${JSON.stringify(documentOf(parts, toplevel), undefined, 2)}\n`;
  const document = `${toplevel}/${DOCUMENT}`;
  const size = Buffer.byteLength(text);
  if (disk.stat(document)?.size === size) return toplevel;
  disk.makeDirectory(toplevel);
  // What is there without its document was cut off by a power failure, and no link leads to it.
  await disk.replaceText(document, text);
  return toplevel;
}

/**
 * Removes systems but those that are wanted, and files that no system left names. Names tell digests: the
 * directory may have been moved, and be reached by a link since.
 */
export function collect(
  { disk, places: { systems, files } }: KernelStore,
  wanted: ReadonlySet<string>,
): void {
  const named = new Set<string>();
  for (const { name } of disk.list(systems) ?? []) {
    const toplevel = `${systems}/${name}`;
    if (!wanted.has(toplevel)) disk.removeTemporary(toplevel);
    else for (const file of namedFiles(disk, toplevel)) named.add(basename(file));
  }
  for (const { name } of disk.list(files) ?? []) {
    const path = `${files}/${name}`;
    // SAFETY: entries on the ESP hold their own copies: what booted before boots still.
    if (!named.has(name)) disk.remove(path);
  }
}

/** The digest of everything that a system boots. Its files are named by their own. */
function digestOf(parts: SystemParts): Digest {
  return hash(JSON.stringify(Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Returns a system's document (RFC 0125), with the parameter that names the system to whoever reads it. */
function documentOf(parts: SystemParts, toplevel: string): object {
  const { release, modules, system, kernel, initrd, devicetree, label, sortKey } = parts;
  return {
    [BOOTSPEC]: {
      system,
      kernel,
      ...(initrd === undefined ? {} : { initrd }),
      kernelParams: [...parts.parameters, `${SYSTEM_PARAMETER}=${toplevel}`],
      label,
      toplevel,
    },
    [SYSTEMD_BOOT]: { sortKey, ...(devicetree === undefined ? {} : { devicetree }) },
    [INSTALLED]: { release, modules },
  };
}

/** In bytes. Ours have one or two thousand. */
const DOCUMENT_LIMIT = 64 * 1024;

/** The files of the store that a system names. What cannot be read names none. */
function namedFiles(disk: Disk, toplevel: string): readonly string[] {
  try {
    const text = new TextDecoder().decode(disk.read(`${toplevel}/${DOCUMENT}`, DOCUMENT_LIMIT));
    return [...text.matchAll(/"(\/[^"]+)"/g)].flatMap(([, path]) => path ?? []);
  } catch (error) {
    if (error instanceof EspError) return [];
    throw error;
  }
}
