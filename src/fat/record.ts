/** Records of a directory: what a short name leads to, and the parts of a long name (FAT §Directory). */
import { SLOT } from './region.ts';

export const ATTRIBUTE = { readOnly: 0x01, label: 0x08, directory: 0x10, archive: 0x20 } as const;
const LONG_NAME = 0x0f;
/** First bytes of slots that hold nothing: one that was never used, and one whose name was removed. */
export const UNUSED = 0x00;
export const REMOVED = 0xe5;

const AT = {
  attributes: 11,
  lowerCase: 12,
  createdHundredths: 13,
  created: 14,
  accessedDate: 18,
  clusterHigh: 20,
  written: 22,
  clusterLow: 26,
  size: 28,
} as const;

/** What a name leads to. Size in bytes, 0 for a directory; times in seconds since the epoch. */
export interface Leads {
  readonly attributes: number;
  /** 0 for an empty file. */
  readonly cluster: number;
  readonly size: number;
  readonly written: number;
}

/** Returns a record. `alias` is a short name of 11 bytes. */
export function formatRecord(alias: Uint8Array, leads: Leads): Uint8Array {
  const bytes = new Uint8Array(SLOT);
  bytes.set(alias);
  writeLeads(bytes, leads);
  const view = new DataView(bytes.buffer);
  const { date, time } = toFatTime(leads.written);
  view.setUint16(AT.created, time, true);
  view.setUint16(AT.created + 2, date, true);
  return bytes;
}

/** Makes a record lead elsewhere. Its name stays, and the time of its making. */
export function writeLeads(record: Uint8Array, leads: Leads): void {
  const view = new DataView(record.buffer, record.byteOffset, SLOT);
  const { date, time } = toFatTime(leads.written);
  view.setUint8(AT.attributes, leads.attributes);
  view.setUint16(AT.clusterHigh, leads.cluster >>> 16, true);
  view.setUint16(AT.clusterLow, leads.cluster & 0xffff, true);
  view.setUint32(AT.size, leads.size, true);
  view.setUint16(AT.written, time, true);
  view.setUint16(AT.written + 2, date, true);
  view.setUint16(AT.accessedDate, date, true);
}

/** Reads what a record leads to. On FAT12 and FAT16 the upper half of the cluster means nothing. */
export function parseLeads(record: Uint8Array, isLarge: boolean): Leads {
  const view = new DataView(record.buffer, record.byteOffset, SLOT);
  const high = isLarge ? view.getUint16(AT.clusterHigh, true) : 0;
  return {
    attributes: view.getUint8(AT.attributes),
    cluster: (high * 0x1_0000 + view.getUint16(AT.clusterLow, true)) & 0x0fff_ffff,
    size: view.getUint32(AT.size, true),
    written: fromFatTime(view.getUint16(AT.written + 2, true), view.getUint16(AT.written, true)),
  };
}

/** Returns whether a record is a part of a long name. */
export function isLongPart(record: Uint8Array): boolean {
  return ((record[AT.attributes] ?? 0) & 0x3f) === LONG_NAME;
}

/** Places of the thirteen UTF-16 units in a part of a long name. */
const UNITS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const LAST = 0x40;
const CHECKSUM = 13;
const MOST_PARTS = 20;

/** Returns the parts of a long name in their order on disk: the last first. */
export function formatLongName(name: string, alias: Uint8Array): Uint8Array[] {
  const count = Math.ceil(name.length / UNITS.length);
  return Array.from({ length: count }, (_, index) => {
    const number = count - index;
    const bytes = new Uint8Array(SLOT);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, index === 0 ? number | LAST : number);
    view.setUint8(AT.attributes, LONG_NAME);
    view.setUint8(CHECKSUM, checksumOf(alias));
    for (const [unit, at] of UNITS.entries()) {
      const place = (number - 1) * UNITS.length + unit;
      // One zero ends the text, and what is left is all ones.
      const end = place === name.length ? 0 : 0xffff;
      view.setUint16(at, place < name.length ? name.charCodeAt(place) : end, true);
    }
    return bytes;
  });
}

/** The parts of a long name that were read so far. */
export interface LongName {
  /** The number of the part that comes next; 0 when all are there. */
  readonly next: number;
  readonly checksum: number;
  readonly text: string;
  /** The slot of its first part. */
  readonly slot: number;
}

/** Returns the name with one part more, or undefined when this part belongs to no name. */
export function withPart(
  name: LongName | undefined,
  record: Uint8Array,
  slot: number,
): LongName | undefined {
  const view = new DataView(record.buffer, record.byteOffset, SLOT);
  const [order, checksum] = [view.getUint8(0), view.getUint8(CHECKSUM)];
  const isFirst = (order & LAST) !== 0;
  const number = order & ~LAST;
  if (number < 1 || number > MOST_PARTS) return undefined;
  if (!isFirst && (name?.next !== number || name.checksum !== checksum)) return undefined;
  const units = UNITS.map((at) => view.getUint16(at, true));
  const end = units.indexOf(0);
  const text = String.fromCharCode(...(end < 0 ? units : units.slice(0, end)));
  if (isFirst || name === undefined) return { next: number - 1, checksum, text, slot };
  return { ...name, next: number - 1, text: text + name.text };
}

/** Returns the checksum of a short name, which the parts of its long name carry. */
export function checksumOf(alias: Uint8Array): number {
  return alias
    .subarray(0, 11)
    .reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
}

const FIRST_YEAR = 1980;
const LAST_YEAR = 2107;

/** Returns a time as FAT holds it, in steps of two seconds; earlier than 1980 is its beginning. */
function toFatTime(seconds: number): { readonly date: number; readonly time: number } {
  const at = new Date(seconds * 1000);
  const year = at.getUTCFullYear();
  if (!(year >= FIRST_YEAR)) return { date: (1 << 5) | 1, time: 0 };
  if (year > LAST_YEAR) return { date: (127 << 9) | (12 << 5) | 31, time: 0 };
  return {
    date: ((year - FIRST_YEAR) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
  };
}

function fromFatTime(date: number, time: number): number {
  const [year, month, day] = [(date >> 9) + FIRST_YEAR, (date >> 5) & 15, date & 31];
  const [hours, minutes, seconds] = [time >> 11, (time >> 5) & 63, (time & 31) * 2];
  return Date.UTC(year, Math.max(1, month) - 1, Math.max(1, day), hours, minutes, seconds) / 1000;
}
