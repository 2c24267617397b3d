/** The table of disk formats: names, suffixes, writers; and what opens any of them. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';
import { blockSource, type DiskImage, malformed, type WriteDisk } from './format.ts';
import { viewOf } from './numbers.ts';
import { MAGIC as QCOW2_MAGIC } from './qcow2-layout.ts';
import { openQcow2 } from './qcow2-read.ts';
import { writeQcow2, writeQcow2Compressed } from './qcow2-write.ts';
import { writeRaw } from './raw.ts';
import { compressionIn } from './stream.ts';
import { openVdi, VDI_MAGIC, VDI_MAGIC_AT, writeVdi } from './vdi.ts';
import { openVhd, vhdFooter, writeVhd, writeVhdFixed } from './vhd.ts';

/** A format that disks are written in. */
interface DiskFormat {
  readonly name: string;
  /** Further names, as other programs have them. */
  readonly aliases: readonly string[];
  /** Endings of file names that mean it. */
  readonly suffixes: readonly string[];
  readonly write: WriteDisk;
}

const FORMATS: readonly DiskFormat[] = [
  { name: 'raw', aliases: [], suffixes: ['.raw', '.img', '.iso', '.bin'], write: writeRaw },
  { name: 'qcow2', aliases: [], suffixes: ['.qcow2'], write: writeQcow2 },
  { name: 'qcow2-compressed', aliases: [], suffixes: [], write: writeQcow2Compressed },
  { name: 'vdi', aliases: [], suffixes: ['.vdi'], write: writeVdi },
  { name: 'vpc', aliases: ['vhd'], suffixes: ['.vhd', '.vpc'], write: writeVhd },
  { name: 'vpc-fixed', aliases: ['vhd-fixed'], suffixes: [], write: writeVhdFixed },
];

/** The names of all formats. */
export const DISK_FORMATS: readonly string[] = FORMATS.map(({ name }) => name);

/**
 * Returns the format of a name, or of the ending of a file's name.
 * @throws {CONFIG_INVALID} when no format is called so, or no ending tells
 */
export function diskFormat(given: string | undefined, path: string): DiskFormat {
  const names = DISK_FORMATS.join(', ');
  if (given !== undefined) {
    const named = FORMATS.find(({ name, aliases }) => name === given || aliases.includes(given));
    if (named !== undefined) return named;
    throw new EspError(
      'CONFIG_INVALID',
      `disk format ${JSON.stringify(given)}: expected one of ${names}`,
    );
  }
  const lower = path.toLowerCase();
  const found = FORMATS.find(({ suffixes }) => suffixes.some((suffix) => lower.endsWith(suffix)));
  if (found !== undefined) return found;
  throw new EspError('CONFIG_INVALID', `${path}: the name does not tell the disk format`, {
    hint: `give --format: ${names}`,
  });
}

/** Formats that are known by their first bytes, and not read. */
const OTHERS: readonly (readonly [bytes: string, name: string])[] = [
  ['KDMV', 'VMDK'],
  ['# Disk DescriptorFile', 'VMDK'],
  ['vhdxfile', 'VHDX'],
];

/**
 * Opens a disk image of whichever format: qcow2, VDI, VHD; all else is a raw disk. `name` is its
 * name in errors.
 * @throws {DISK_IMAGE_MALFORMED} when it is damaged, not all in this file, or of a format that is not
 * read
 */
export function openDiskImage(file: ByteSource, name: string): DiskImage {
  const first = new Uint8Array(512);
  first.set(file.read(0, first.length));
  const view = viewOf(first);
  if (view.getUint32(0) === QCOW2_MAGIC) return openQcow2(file, name);
  if (view.getUint32(VDI_MAGIC_AT, true) === VDI_MAGIC) return openVdi(file, name);
  const text = String.fromCharCode(...first.subarray(0, 32));
  const other = OTHERS.find(([bytes]) => text.startsWith(bytes))?.[1];
  const packed = compressionIn(first);
  if (other !== undefined || packed !== undefined) {
    const hint = other
      ? 'make it raw with qemu-img convert first'
      : 'it is packed twice: unpack it';
    throw malformed(name, 'a raw, qcow2, VDI or VHD disk', other ?? packed ?? '', hint);
  }
  const footer = vhdFooter(file);
  if (footer !== undefined) return openVhd(file, footer, name);
  const whole = 1024 * 1024;
  return { format: 'raw', ...blockSource(file, file.size, whole, (block) => block * whole) };
}
