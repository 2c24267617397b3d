/** Finds what `measure` is asked for: images by their paths, and what entries on the ESP start. */
import { resolve } from 'node:path';
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { imageKindOf } from '../esp/image-kind.ts';
import type { EntryFile } from '../esp/inventory.ts';
import type { EspPath } from '../esp/layout.ts';
import { parseType1, referencedPath } from '../esp/type1.ts';
import { lookAlone } from '../inspection/read-esp.ts';
import { measuresNamedFiles } from '../measure/thin-stub.ts';
import { readEsps } from '../pass/read-esps.ts';
import { findSection, parsePe, readSection } from '../pe/pe.ts';
import { IMAGE_KINDS } from '../plan/images.ts';
import { type EspView, placeOn } from '../plan/view.ts';
import type { RawSettings } from '../settings/configuration-file.ts';
import { readSettings, type Settings } from '../settings/settings.ts';

/** An image, and how it is started. */
export interface BootFile {
  readonly path: string;
  /** The ID of its entry; absent for an image that was named by its path. */
  readonly entry?: string;
  /** What the loader passes to it; undefined when every profile is meant. */
  readonly options?: string;
  /** The boot loader before it. */
  readonly loader?: string;
  /** The files that its stub measures in the place of sections that name them. */
  readonly standing: ReadonlyMap<string, string>;
}

/** In bytes: far more than a path takes, and than an entry of ours holds. */
const MAX_PATH = 4096;
const MAX_ENTRY = 8 * 1024 * 1024;

/**
 * Returns what the operands name. An ESP is read only for one that is no file.
 * @throws {CONFIG_INVALID} when nothing on the ESPs has such a name, or no image boots by it
 */
export async function bootFilesOf(
  operands: readonly string[],
  flags: RawSettings,
  context: Context,
): Promise<readonly BootFile[]> {
  const { disk, environment } = context;
  const settings = await readSettings(flags, environment, disk);
  const isFile = (operand: string) => disk.stat(resolve(operand))?.kind === 'file';
  const views = operands.every(isFile) ? [] : await viewEsps(settings, context);
  return operands.flatMap((operand) => {
    if (!isFile(operand)) return onEsps(operand, views, disk);
    const path = resolve(operand);
    const root = path.replace(/\/EFI\/Linux\/[^/]*$/i, '');
    return [{ path, standing: standingIn(path, (named) => `${root}/${named}`, disk) }];
  });
}

async function viewEsps(settings: Settings, context: Context): Promise<readonly EspView[]> {
  const read = await readEsps(settings, await lookAlone(settings, context), context);
  return read.flatMap((esp) => (esp.failure ? [] : [esp.view]));
}

/** Returns the entries of a generation, or the one of an ID. Of mirrors, the first that has it counts. */
function onEsps(operand: string, views: readonly EspView[], disk: Disk): readonly BootFile[] {
  const isMeant = ({ id, name }: EntryFile) =>
    id === operand ||
    id.slice(0, id.lastIndexOf('.')) === operand ||
    `${name?.generation}` === operand;
  for (const view of views) {
    const found = view.inventory.entries.filter(isMeant);
    if (found.length > 0) return found.map((entry) => bootFileOf(entry, view, disk));
  }
  throw new EspError(
    'CONFIG_INVALID',
    `${operand}: no such file, and no entry on the ESP of this name`,
    {
      hint: 'espalier list shows the entries; give a number of a generation, or an ID',
    },
  );
}

/**
 * Returns what an entry starts, and how.
 * @throws {CONFIG_INVALID} when that is no image
 */
export function bootFileOf(entry: EntryFile, view: EspView, disk: Disk): BootFile {
  const pathOf = (path: EspPath) => placeOn(view, path);
  const isText = entry.path.toLowerCase().endsWith('.conf');
  const text = isText ? decoder.decode(disk.read(pathOf(entry.path), MAX_ENTRY)) : '';
  const { files, options } = parseType1(text);
  const [program] = isText ? files : [entry.path];
  const path = program && pathOf(program);
  const loader = view.loaders.find(({ size }) => size > 0);
  if (path === undefined || !hasKernelInside(path, disk)) {
    throw new EspError('CONFIG_INVALID', `${entry.id}: what it starts is no image`, {
      hint: 'what is measured of a kernel with an initrd beside it is not predicted',
    });
  }
  return {
    path,
    entry: entry.id,
    options,
    ...(loader ? { loader: pathOf(loader.path) } : {}),
    standing: standingIn(path, pathOf, disk),
  };
}

const decoder = new TextDecoder();

function hasKernelInside(path: string, disk: Disk): boolean {
  if (disk.stat(path)?.kind !== 'file') return false;
  using source = disk.open(path);
  return findSection(parsePe(source, path), '.linux') !== undefined;
}

/**
 * Returns the files that are measured in the place of sections that name them; none for an image that
 * holds all.
 * @throws {CONFIG_INVALID} when it is not known what the stub measures
 */
function standingIn(
  path: string,
  pathOf: (path: EspPath) => string,
  disk: Disk,
): ReadonlyMap<string, string> {
  using source = disk.open(path);
  const pe = parsePe(source, path);
  const { naming } = imageKindOf(IMAGE_KINDS, pe.sections);
  if (naming.length === 0 || !measuresNamedFiles(source, pe, path)) return new Map();
  return new Map(
    naming.flatMap((name) => {
      const section = findSection(pe, name);
      if (section === undefined) return [];
      const text = decoder.decode(readSection(source, section, MAX_PATH));
      return [[name, pathOf(referencedPath(text))] as const];
    }),
  );
}
