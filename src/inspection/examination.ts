/** Reads every byte of our files on an ESP and compares it with their names. */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { readRange } from '../byte-source.ts';
import type { Amount, Context } from '../context.ts';
import { type Digest, digestOf, hash } from '../digest.ts';
import type { OpenFile } from '../disk/disk.ts';
import { hashFiles } from '../disk/hash-files.ts';
import { EspError, explain } from '../error.ts';
import { imageKindOf } from '../esp/image-kind.ts';
import type { BlobFile, EntryFile, Inventory } from '../esp/inventory.ts';
import { isImageBlob, isProgram } from '../esp/layout.ts';
import type { Target } from '../esp/target.ts';
import { certificateTable } from '../pe/certificate-table.ts';
import { createChecksum } from '../pe/checksum.ts';
import { contentRange, parsePe } from '../pe/pe.ts';
import { IMAGE_KINDS } from '../plan/images.ts';
import { signersIn } from '../signer/cms-verification.ts';
import { authenticodeDigest } from '../signer/image-digest.ts';
import { unsigned } from '../signer/signer.ts';

/**
 * Returns an inventory in which a file of ours counts as damaged when its content contradicts its
 * name.
 * Memory does not grow with the size of the files.
 */
export async function examine(
  target: Pick<Target, 'root' | 'tree'>,
  inventory: Inventory,
  { machine, progress }: Context,
): Promise<Inventory> {
  const pathOf = ({ path }: BlobFile) => `${target.root}/${path}`;
  const unreadable = new Map<string, string>();
  progress?.begin(`checking ${target.root}`, amountOf(inventory));
  const digests = await hashFiles(
    inventory.blobs
      .filter(({ name }) => !isImageBlob(name))
      .map((blob) => ({ path: pathOf(blob), size: blob.size })),
    target.tree,
    {
      ...{ machine, onUnreadable: (path, error) => unreadable.set(path, explain(error)) },
      ...(progress && { onRead: progress.advance }),
    },
  );
  const examineBlob = async (blob: BlobFile): Promise<BlobFile> => {
    const path = pathOf(blob);
    if (isImageBlob(blob.name)) return examineImage(blob);
    const wrong = digests.get(path) !== blob.name.digest;
    return wrong ? { ...blob, damage: unreadable.get(path) ?? NOT_ITS_NAME } : blob;
  };
  const examineImage = async <File extends BlobFile | EntryFile>(file: File): Promise<File> => {
    if (!file.name || file.damage !== undefined) return file;
    // Signals and what is told of the work get their turn between two images.
    await setImmediate();
    try {
      using opened = target.tree.open(`${target.root}/${file.path}`);
      const isNamed = identities(opened).includes(file.name.digest);
      const isWhole = isNamed && isAsSummed(opened);
      progress?.advance(file.size, 1);
      if (isWhole) return file;
      return { ...file, damage: isNamed ? NOT_ITS_SUM : NOT_ITS_NAME };
    } catch (error) {
      if (!(error instanceof EspError)) throw error;
      return { ...file, damage: explain(error) };
    }
  };
  const examineEntry = async (entry: EntryFile): Promise<EntryFile> =>
    entry.name && isProgram(entry.name) ? examineImage(entry) : entry;
  return {
    ...inventory,
    blobs: await inOrder(inventory.blobs, examineBlob),
    entries: await inOrder(inventory.entries, examineEntry),
  };
}

/** Does one after the other, because each reads a whole file. */
async function inOrder<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<Item>,
): Promise<readonly Item[]> {
  const done: Item[] = [];
  for (const item of items) done.push(await work(item));
  return done;
}

/** Every file that is read as a whole. */
function amountOf({ blobs, entries }: Inventory): Amount {
  const programs = entries.filter(({ name }) => name !== undefined && isProgram(name));
  const files = [...blobs, ...programs];
  return { bytes: files.reduce((sum, { size }) => sum + size, 0), files: files.length };
}

const NOT_ITS_NAME = 'its content is not what its name says';
const NOT_ITS_SUM = 'its bytes do not add up to the checksum in its headers';

/**
 * A name says nothing of the stub in an image. Where nobody signed it, the checksum that was written with it
 * stands for all of its bytes, whether or not the store is at hand.
 */
function isAsSummed(file: OpenFile): boolean {
  const pe = parsePe(file);
  if (certificateTable(file, pe).length > 0) return true;
  const [field, behind] = [pe.checksumOffset, pe.checksumOffset + CHECKSUM_SIZE];
  const checksum = createChecksum();
  for (const bytes of readRange(file, { offset: 0, size: field })) checksum.update(bytes);
  checksum.update(new Uint8Array(CHECKSUM_SIZE));
  const rest = { offset: behind, size: file.size - behind };
  for (const bytes of readRange(file, rest)) checksum.update(bytes);
  const written = file.read(field, CHECKSUM_SIZE);
  const view = new DataView(written.buffer, written.byteOffset, written.length);
  return view.getUint32(0, true) === checksum.finish(file.size);
}

/** In bytes. */
const CHECKSUM_SIZE = 4;

/**
 * Returns the digests that an image's name may have: one per signature, or that of the unsigned
 * one.
 */
function identities(file: OpenFile): readonly Digest[] {
  const pe = parsePe(file);
  const sections = pe.sections.map((section) => ({
    name: section.name,
    digest: hashAll(readRange(file, contentRange(section))),
  }));
  const { idOf } = imageKindOf(IMAGE_KINDS, sections);
  const signatures = certificateTable(file, pe);
  if (signatures.length === 0) return [idOf(sections, unsigned.fingerprint)];
  const image = authenticodeDigest(file);
  return signatures
    .flatMap((signature) => signersIn(signature, image))
    .map((certificate) => idOf(sections, hash(certificate)));
}

function hashAll(chunks: Iterable<Uint8Array>): Digest {
  const sha256 = createHash('sha256');
  for (const bytes of chunks) sha256.update(bytes);
  return digestOf(sha256.digest());
}
