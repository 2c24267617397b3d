/** Holds loaders and images that nobody signed against what they are made from, byte for byte. */

import type { ByteSource } from '../byte-source.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import type { BlobFile, EntryFile, Inventory } from '../esp/inventory.ts';
import { isProgram } from '../esp/layout.ts';
import type { Target } from '../esp/target.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import { createChecksum } from '../pe/checksum.ts';
import type { ImageLayout } from '../pe/image-layout.ts';
import { findSection, parsePe, readSection } from '../pe/pe.ts';
import { hasPart, remade } from '../plan/sharing.ts';
import { type Content, type ImageContent, isImage } from '../plan/step.ts';
import type { LoaderView } from '../plan/view.ts';
import type { WantedEntry } from '../plan/wanted.ts';
import type { LoaderSource } from '../plan/wanted-system.ts';
import { exactSize } from '../quantity.ts';
import { stream } from '../recipe/pieces.ts';
import { imageLayout } from '../recipe/recipe.ts';

/** What would be installed now, without a signature. */
export interface Made {
  readonly loader: LoaderSource;
  readonly entries: readonly WantedEntry[];
}

/** What was found on an ESP. */
interface Found {
  readonly inventory: Inventory;
  readonly loaders: readonly LoaderView[];
}

/** Longer is no version. Bytes. */
const MAX_MARKER = 4096;

/**
 * Returns what was found, with everything damaged that differs from what would be made now. Another
 * version of loader or stub is no damage: what is known to boot stays.
 */
export async function holdAgainst(
  { inventory, loaders }: Found,
  made: Made,
  { root, tree }: Pick<Target, 'root' | 'tree'>,
  disk: Disk,
): Promise<Found> {
  const wanted = new Map(made.entries.map((entry) => [entry.id.toLowerCase(), entry.file.content]));
  const parts = made.entries.filter(hasPart);
  const held = async <File extends EntryFile | BlobFile>(file: File, content?: Content) => {
    const isWhole = file.name && isProgram(file.name) && file.damage === undefined;
    if (!isWhole || !content || !isImage(content)) return file;
    const path = `${root}/${file.path}`;
    const damage = await unlessUnreadable(() => imageDamage(path, content, tree, disk));
    return damage === undefined ? file : { ...file, damage };
  };
  const entries: EntryFile[] = [];
  for (const entry of inventory.entries) {
    entries.push(await held(entry, wanted.get(entry.id.toLowerCase())));
  }
  const blobs: BlobFile[] = [];
  for (const blob of inventory.blobs) {
    const { path, profiles = [] } = blob;
    blobs.push(await held(blob, remade({ path, profiles }, parts)?.content));
  }
  const views: LoaderView[] = [];
  for (const view of loaders) {
    const because = await unlessUnreadable(() => loaderDamage(view, made.loader, root, tree, disk));
    views.push(because === undefined ? view : { ...view, installed: malformed(because) });
  }
  return { inventory: { ...inventory, entries, blobs }, loaders: views };
}

/**
 * Returns the loaders, with the fallback damaged where it differs from the other copy of the same version:
 * without what they were made from, nobody can tell which of two that nobody signed is whole.
 */
export function holdCopies(
  loaders: readonly LoaderView[],
  { root, tree }: Pick<Target, 'root' | 'tree'>,
): readonly LoaderView[] {
  const [own, fallback] = loaders;
  if (own?.installed.kind !== 'systemd-boot' || fallback?.installed.kind !== 'systemd-boot')
    return loaders;
  if (own.installed.version !== fallback.installed.version || own.size !== fallback.size)
    return loaders;
  using one = tree.open(`${root}/${own.path}`);
  using other = tree.open(`${root}/${fallback.path}`);
  const isSigned = [one, other].some((file) => certificateTable(file, parsePe(file)).length > 0);
  if (isSigned || different(one.read(0, one.size), other.read(0, other.size)) === 0) return loaders;
  const because = `it differs from ${own.path} of the same version, and one of them is damaged`;
  return [own, { ...fallback, installed: malformed(because) }];
}

function malformed(because: string): LoaderView['installed'] {
  return { kind: 'malformed', because };
}

/** A source that is gone, or was replaced meanwhile, tells nothing about what is on the ESP. */
async function unlessUnreadable(
  compare: () => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await compare();
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}

async function loaderDamage(
  { path, installed }: LoaderView,
  source: LoaderSource,
  root: string,
  tree: Disk,
  disk: Disk,
): Promise<string | undefined> {
  if (installed.kind !== 'systemd-boot' && installed.kind !== 'foreign') return undefined;
  using found = tree.open(`${root}/${path}`);
  using brought = disk.open(source.path);
  const isSame =
    installed.kind === 'systemd-boot' &&
    installed.version === source.version &&
    installed.machine === source.machine;
  if (found.size !== brought.size) {
    const isBare = certificateTable(found, parsePe(found)).length === 0;
    if (!isSame || !isBare) return undefined;
    return `it has ${exactSize(found.size)}, and ${source.path} of the same version has ${exactSize(brought.size)}`;
  }
  const pieces = [{ kind: 'file', path: source.path, offset: 0, size: brought.size }] as const;
  const count = await countDifferent(found, pieces, disk);
  return isDamage(count, isSame) ? differs(count, source.path) : undefined;
}

async function imageDamage(
  path: string,
  content: ImageContent,
  tree: Disk,
  disk: Disk,
): Promise<string | undefined> {
  using found = tree.open(path);
  if (certificateTable(found, parsePe(found)).length > 0) return undefined;
  const layout = imageLayout(content, disk);
  if (found.size !== layout.size) return undefined;
  const count = await countDifferentImage(found, layout, disk);
  using stub = disk.open(content.stub);
  const isSame = markerIn(found) === markerIn(stub);
  return isDamage(count, isSame) ? differs(count, content.stub) : undefined;
}

/** Another version differs in its build ID and in more: where one bit differs, it is no other version. */
function isDamage(bits: number, isSameVersion: boolean): boolean {
  return bits > 0 && (isSameVersion || bits === 1);
}

function differs(bits: number, source: string): string {
  return `${bits === 1 ? 'a bit differs' : `${bits} bits differ`} from what is made from ${source}`;
}

/** What a stub says of itself, or nothing where it says none. */
function markerIn(file: ByteSource): string | undefined {
  const section = findSection(parsePe(file), '.sdmagic');
  if (section === undefined || section.virtualSize > MAX_MARKER) return undefined;
  return new TextDecoder().decode(readSection(file, section, MAX_MARKER));
}

/** The checksum is filled in when an image is written. */
async function countDifferentImage(
  found: ByteSource,
  { pieces, size, checksumOffset }: ImageLayout,
  disk: Disk,
): Promise<number> {
  const checksum = createChecksum();
  const count = await countDifferent(found, pieces, disk, (bytes) => checksum.update(bytes));
  const expected = new Uint8Array(4);
  const written = found.read(checksumOffset, 4);
  const unfilled = different(written, expected);
  new DataView(expected.buffer).setUint32(0, checksum.finish(size), true);
  return count - unfilled + different(written, expected);
}

async function countDifferent(
  found: ByteSource,
  pieces: ImageLayout['pieces'],
  disk: Disk,
  also: (bytes: Uint8Array) => void = () => undefined,
): Promise<number> {
  let [offset, count] = [0, 0];
  await stream(pieces, disk, async (bytes) => {
    also(bytes);
    count += different(found.read(offset, bytes.length), bytes);
    offset += bytes.length;
  });
  return count;
}

/** Returns how many bits differ. */
function different(one: Uint8Array, other: Uint8Array): number {
  if (Buffer.compare(one, other) === 0) return 0;
  return other.reduce((sum, byte, at) => sum + ones(byte ^ (one[at] ?? ~byte & 0xff)), 0);
}

function ones(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}
