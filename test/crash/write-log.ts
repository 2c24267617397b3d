/** The log of every block that a guest wrote, as QEMU's `blklogwrites` keeps it (Linux device-mapper/log-writes). */

/** One thing that a disk was asked to do, in the order in which it was asked. Offsets and lengths in bytes. */
export type DiskRequest =
  | {
      readonly kind: 'write';
      readonly offset: number;
      readonly data: Uint8Array;
      /** Durable once it is done, without a flush. */
      readonly isForced: boolean;
    }
  | { readonly kind: 'discard'; readonly offset: number; readonly length: number }
  /** All earlier writes are durable. */
  | { readonly kind: 'flush' }
  /** A note that somebody put into the log. */
  | { readonly kind: 'mark'; readonly text: string };

const MAGIC = 0x6a736677736872n;
const VERSION = 1n;
const HEADER = 28;
const ENTRY_HEADER = 32;
const FLAGS = { flush: 1n, forced: 2n, discard: 4n, mark: 8n } as const;
const ALL_FLAGS = 0x1fn;

/**
 * Returns the requests in a log.
 * @throws {RangeError} with the offset, what was expected and what was there, when it is no such log
 */
export function parseWriteLog(bytes: Uint8Array): DiskRequest[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  need(bytes, 0, HEADER, 'the superblock');
  expect(view.getBigUint64(0, true) === MAGIC, 0, 'the magic number of a write log');
  expect(view.getBigUint64(8, true) === VERSION, 8, 'version 1');
  const count = view.getBigUint64(16, true);
  const sectorSize = view.getUint32(24, true);
  expect(sectorSize >= 512 && Number.isInteger(Math.log2(sectorSize)), 24, 'a sector size');
  const requests: DiskRequest[] = [];
  let offset = sectorSize;
  for (let entry = 0n; entry < count; entry++) {
    const parsed = parseEntry(bytes, view, offset, sectorSize);
    requests.push(...parsed.requests);
    offset = parsed.end;
  }
  return requests;
}

/** Reads one entry, which begins at a sector: its header in a sector of its own, then what was written. */
function parseEntry(
  bytes: Uint8Array,
  view: DataView,
  offset: number,
  sectorSize: number,
): { requests: DiskRequest[]; end: number } {
  need(bytes, offset, sectorSize, 'the sector of an entry');
  const field = (index: number) => view.getBigUint64(offset + 8 * index, true);
  const [sector, sectors, flags, noteLength] = [field(0), field(1), field(2), field(3)];
  expect((flags & ~ALL_FLAGS) === 0n, offset + 16, 'no flags but the known ones');
  const body = offset + sectorSize;
  const length = bytesOf(sectors, sectorSize, offset + 8);
  const at = bytesOf(sector, sectorSize, offset);
  const before: DiskRequest[] = flags & FLAGS.flush ? [{ kind: 'flush' }] : [];
  if (flags & FLAGS.mark) {
    expect(noteLength <= sectorSize - ENTRY_HEADER, offset + 24, 'a note within its sector');
    const note = bytes.subarray(offset + ENTRY_HEADER, offset + ENTRY_HEADER + Number(noteLength));
    const text = new TextDecoder().decode(note).replace(/\0+$/, '');
    return { requests: [...before, { kind: 'mark', text }], end: body };
  }
  if (flags & FLAGS.discard) {
    return { requests: [...before, { kind: 'discard', offset: at, length }], end: body };
  }
  if (length === 0) return { requests: before, end: body };
  need(bytes, body, length, 'what was written');
  const isForced = (flags & FLAGS.forced) !== 0n;
  const data = bytes.subarray(body, body + length);
  return {
    requests: [...before, { kind: 'write', offset: at, data, isForced }],
    end: body + length,
  };
}

function bytesOf(sectors: bigint, sectorSize: number, offset: number): number {
  const value = sectors * BigInt(sectorSize);
  expect(value <= BigInt(Number.MAX_SAFE_INTEGER), offset, 'a number of sectors on a disk');
  return Number(value);
}

function need(bytes: Uint8Array, offset: number, length: number, what: string): void {
  if (offset + length <= bytes.length) return;
  throw new RangeError(
    `write log at ${offset}: expected ${length} bytes of ${what}, got ${Math.max(0, bytes.length - offset)}`,
  );
}

function expect(isTrue: boolean, offset: number, what: string): void {
  if (!isTrue) throw new RangeError(`write log at ${offset}: expected ${what}`);
}
