/** Reads DER (X.690) from hostile bytes, and writes the few shapes that we need. */
import { Buffer } from 'node:buffer';

/** One element of DER. Every view points into the bytes that were parsed. */
export interface Element {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number;
  /** The whole element: tag, length and content. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
  readonly children: readonly Element[];
}

export const SEQUENCE = 0x30;
export const SET = 0x31;
export const INTEGER = 0x02;
export const OCTET_STRING = 0x04;
/** Context-specific, constructed, number 0. */
export const EXPLICIT_0 = 0xa0;

/** A signature with a chain of certificates stays far below. The limits bound the work. */
const MOST = { bytes: 65_535 + 4, levels: 32, elements: 4096 } as const;

/**
 * Returns the one element in the bytes. Returns undefined when they are not exactly one element of
 * DER within the limits: at most 64 KiB, 32 levels and 4096 elements. What a value says is not
 * looked at.
 */
export function parseDer(bytes: Uint8Array): Element | undefined {
  if (bytes.length > MOST.bytes) return undefined;
  const element = elementAt(bytes, { elements: 0 }, 0);
  return element?.whole.length === bytes.length ? element : undefined;
}

/** Returns the bytes without the up to seven zeros with which tables pad their entries. */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  const end = readHeader(bytes)?.end ?? bytes.length;
  const padding = bytes.subarray(end);
  const padded = padding.length < 8 && padding.every((byte) => byte === 0);
  return padded ? bytes.subarray(0, end) : bytes;
}

/** Returns the element at the start of the bytes. The children of one have to fill it. */
function elementAt(
  bytes: Uint8Array,
  seen: { elements: number },
  level: number,
): Element | undefined {
  const header = readHeader(bytes);
  if (header === undefined || header.end > bytes.length) return undefined;
  if (level > MOST.levels || ++seen.elements > MOST.elements) return undefined;
  const whole = bytes.subarray(0, header.end);
  const content = whole.subarray(header.start);
  const children: Element[] = [];
  let rest = header.constructed ? content : content.subarray(content.length);
  while (rest.length > 0) {
    const child = elementAt(rest, seen, level + 1);
    if (child === undefined) return undefined;
    children.push(child);
    rest = rest.subarray(child.whole.length);
  }
  return { tag: header.tag, whole, content, children };
}

interface Header {
  readonly tag: number;
  readonly constructed: boolean;
  /** Where the content starts and ends, in bytes. */
  readonly start: number;
  readonly end: number;
}

/** Reads a low tag number and a definite, shortest length (X.690 §10.1), of a form that DER has. */
function readHeader(bytes: Uint8Array): Header | undefined {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  // Of the universal types, only these two consist of others: DER has no strings in parts (§10.2).
  const isSeveral = (tag & 0x1f) === 16 || (tag & 0x1f) === 17;
  if (tag < 0x40 && ((tag & CONSTRUCTED) !== 0) !== isSeveral) return undefined;
  const width = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || width > 2 || bytes.length < 2 + width) return undefined;
  const length = bytes.subarray(2, 2 + width).reduce((sum, byte) => sum * 256 + byte, 0);
  const shortest = width === 0 || length >= (width === 1 ? 0x80 : 0x100);
  if (!shortest) return undefined;
  const start = 2 + width;
  const end = start + (width === 0 ? first : length);
  return { tag, constructed: (tag & CONSTRUCTED) !== 0, start, end };
}

/** Returns the children of an element with this tag. An element with another tag has none. */
export function childrenOf(element: Element | undefined, tag: number): readonly Element[] {
  return element?.tag === tag ? element.children : [];
}

/** Returns whether two byte strings are equal. */
export function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}

/** DER of a SEQUENCE around elements that are encoded already. */
export function sequence(...elements: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(SEQUENCE, ...elements);
}

/** DER of a SET OF, its elements in ascending order of their encoding (X.690 §11.6). */
export function setOf(...elements: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(SET, ...elements.toSorted(Buffer.compare));
}

/** DER of a constructed `[number]`. */
export function tagged(tagNumber: number, ...elements: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element(CONTEXT | CONSTRUCTED | tagNumber, ...elements);
}

/** DER of a primitive `[number]`. */
export function taggedBytes(tagNumber: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(CONTEXT | tagNumber, content);
}

/** DER of an INTEGER from 0 to 127. */
export function integer(value: number): Uint8Array<ArrayBuffer> {
  if (value < 0 || value > 127) throw new RangeError(`"value" expected 0 to 127, got ${value}`);
  return element(INTEGER, Uint8Array.of(value));
}

/** DER of an INTEGER with these bytes, most significant first. The highest bit must be clear. */
export function bigInteger(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(INTEGER, content);
}

/** DER of an OBJECT IDENTIFIER in dotted decimals (X.690 §8.19). */
export function oid(value: string): Uint8Array<ArrayBuffer> {
  const [first = 0, second = 0, ...others] = value.split('.').map(Number);
  return element(OBJECT_IDENTIFIER, ...[first * 40 + second, ...others].map(base128));
}

/** Returns a number in groups of seven bits, of which all but the last have the highest bit set. */
function base128(value: number): Uint8Array {
  const groups = [value & 0x7f];
  for (let left = value >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
  return Uint8Array.from(groups);
}

export function octets(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(OCTET_STRING, content);
}

/** DER of a BIT STRING of whole bytes. */
export function bits(content: Uint8Array): Uint8Array<ArrayBuffer> {
  return element(BIT_STRING, Uint8Array.of(0), content);
}

export function yes(): Uint8Array<ArrayBuffer> {
  return element(BOOLEAN, Uint8Array.of(0xff));
}

export function utf8(value: string): Uint8Array<ArrayBuffer> {
  return element(UTF8_STRING, new TextEncoder().encode(value));
}

/** DER of a time in seconds since the epoch, as certificates write it (RFC 5280 §4.1.2.5). */
export function time(seconds: number): Uint8Array<ArrayBuffer> {
  const [date = ''] = new Date(seconds * 1000).toISOString().split('.');
  const digits = `${date.replaceAll(/[-T:]/g, '')}Z`;
  const text = (value: string) => new TextEncoder().encode(value);
  // A year has two digits until 2049, and four from then on.
  return digits < '2050'
    ? element(UTC_TIME, text(digits.slice(2)))
    : element(GENERALIZED_TIME, text(digits));
}

export function nothing(): Uint8Array<ArrayBuffer> {
  return element(NULL);
}

const CONSTRUCTED = 0x20;
const CONTEXT = 0x80;
const BOOLEAN = 0x01;
const BIT_STRING = 0x03;
const NULL = 0x05;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/** Puts tag and length before a content (X.690 §8.1.3, §10.1). */
function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const header = [tag, ...lengthOf(length)];
  const bytes = new Uint8Array(header.length + length);
  bytes.set(header);
  let at = header.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function lengthOf(length: number): readonly number[] {
  if (length < 0x80) return [length];
  const digits: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256);
  return [0x80 | digits.length, ...digits];
}
