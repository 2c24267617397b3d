/** Extended headers of tar files (POSIX.1 pax §pax Extended Header). Untrusted bytes. */
import { EspError } from '../error.ts';
import { compareNames, type Xattr } from './node.ts';

/** Records by key. Values are bytes: an extended attribute need not be text. */
export type PaxRecords = ReadonlyMap<string, Uint8Array>;

const XATTR = 'SCHILY.xattr.';
const BLANK = 0x20;
const EQUALS = 0x3d;
const NEWLINE = 0x0a;
/** Digits of the length of a record. */
const MAX_DIGITS = 8;

/**
 * Returns the records of an extended header, each `LENGTH KEY=VALUE` and a newline. `name` and
 * `offset` say in errors where it lies.
 * @throws {TREE_MALFORMED}
 */
export function parsePax(bytes: Uint8Array, name: string, offset: number): PaxRecords {
  const records = new Map<string, Uint8Array>();
  for (let at = 0; at < bytes.length; ) {
    // Some writers pad with zeros.
    if (bytes[at] === 0) break;
    const blank = bytes.subarray(at, at + MAX_DIGITS + 1).indexOf(BLANK);
    const digits = String.fromCharCode(...bytes.subarray(at, at + Math.max(0, blank)));
    const length = /^[0-9]+$/.test(digits) ? Number(digits) : 0;
    const record = bytes.subarray(at + blank + 1, at + length - 1);
    const equals = record.indexOf(EQUALS);
    const isWhole = length > blank + 2 && at + length <= bytes.length;
    if (!isWhole || bytes[at + length - 1] !== NEWLINE || equals < 1) {
      throw new EspError(
        'TREE_MALFORMED',
        `${name}: at offset ${offset + at} of the tar file, expected a whole record of a pax header, got ${JSON.stringify(digits)}`,
      );
    }
    records.set(new TextDecoder().decode(record.subarray(0, equals)), record.slice(equals + 1));
    at += length;
  }
  return records;
}

/** Returns the number that a record gives, or undefined when there is none. */
export function paxNumber(records: PaxRecords, key: string): number | undefined {
  const bytes = records.get(key);
  if (bytes === undefined) return undefined;
  const value = Number(new TextDecoder().decode(bytes));
  return Number.isFinite(value) ? value : undefined;
}

/** Returns the extended attributes among the records. */
export function xattrsOf(records: PaxRecords): readonly Xattr[] {
  return [...records]
    .filter(([key]) => key.startsWith(XATTR) && key.length > XATTR.length)
    .map(([key, value]) => ({ name: key.slice(XATTR.length), value }))
    .sort((a, b) => compareNames(a.name, b.name));
}

/** Returns the bytes of one record. */
export function formatPax(key: string, value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  const head = new TextEncoder().encode(` ${key}=`);
  const rest = head.length + bytes.length + 1;
  let length = rest + String(rest).length;
  // The length counts its own digits.
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), head, bytes, Buffer.from('\n')]);
}

/** Returns the record of an extended attribute. */
export function formatXattr({ name, value }: Xattr): Uint8Array {
  return formatPax(XATTR + name, value);
}
