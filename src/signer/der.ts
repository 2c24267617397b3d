/**
 * Reads DER from hostile bytes, and writes the few shapes that we need, with the asn1js library.
 */
import { Buffer } from 'node:buffer';
import * as asn1 from 'asn1js';

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
const LIMITS = {
  maxDepth: 32,
  maxNodes: 4096,
  maxContentLength: 65_535,
  // Without this, the library would parse the content of a string as further elements.
  parseEmbedded: false,
  copyInput: false,
} as const;

/**
 * Returns the one element in the bytes. Returns undefined when they are not exactly one element of
 * DER within the limits: at most 64 KiB, 32 levels and 4096 elements.
 */
export function parseDer(bytes: Uint8Array): Element | undefined {
  if (bytes.length > LIMITS.maxContentLength + 4) return undefined;
  const block = decode(bytes);
  return block && elementOf(block, bytes);
}

/** Returns the bytes without the up to seven zeros with which tables pad their entries. */
export function withoutPadding(bytes: Uint8Array): Uint8Array {
  const end = readHeader(bytes)?.end ?? bytes.length;
  const padding = bytes.subarray(end);
  const padded = padding.length < 8 && padding.every((byte) => byte === 0);
  return padded ? bytes.subarray(0, end) : bytes;
}

function decode(bytes: Uint8Array): asn1.BaseBlock | undefined {
  try {
    const { offset, result } = asn1.fromBER(bytes, LIMITS);
    return offset === bytes.length ? result : undefined;
  } catch {
    // The library throws for some malformed strings and dates, and reports others. Both mean "not
    // DER".
    return undefined;
  }
}

/**
 * Takes the tree from the library and the bytes from the input. The library reads BER and lets a
 * child reach beyond its parent. So this reads each length again, strictly, and children must fill
 * their parent.
 */
function elementOf(block: asn1.BaseBlock, bytes: Uint8Array): Element | undefined {
  const header = readHeader(bytes);
  if (header === undefined || header.end > bytes.length) return undefined;
  const whole = bytes.subarray(0, header.end);
  const content = whole.subarray(header.start);
  if (!header.constructed) return { tag: header.tag, whole, content, children: [] };
  const children: Element[] = [];
  let rest = content;
  for (const part of partsOf(block)) {
    const child = elementOf(part, rest);
    if (child === undefined) return undefined;
    children.push(child);
    rest = rest.subarray(child.whole.length);
  }
  return rest.length === 0 ? { tag: header.tag, whole, content, children } : undefined;
}

/** The library gives some damaged elements no value. Those fail to fill their parent. */
function partsOf(block: { readonly valueBlock?: unknown }): readonly asn1.BaseBlock[] {
  const { value } = (block.valueBlock ?? {}) as { readonly value?: unknown };
  return Array.isArray(value) ? value : [];
}

interface Header {
  readonly tag: number;
  readonly constructed: boolean;
  /** Where the content starts and ends, in bytes. */
  readonly start: number;
  readonly end: number;
}

/** Reads a low tag number and a definite, shortest length (X.690 §10.1). */
function readHeader(bytes: Uint8Array): Header | undefined {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
  const width = first < 0x80 ? 0 : first & 0x7f;
  if (first === 0x80 || width > 2 || bytes.length < 2 + width) return undefined;
  const length = bytes.subarray(2, 2 + width).reduce((sum, byte) => sum * 256 + byte, 0);
  const shortest = width === 0 || length >= (width === 1 ? 0x80 : 0x100);
  if (!shortest) return undefined;
  const start = 2 + width;
  const end = start + (width === 0 ? first : length);
  return { tag, constructed: (tag & 0x20) !== 0, start, end };
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
  return around({ tagClass: UNIVERSAL, tagNumber: 16 }, elements);
}

/** DER of a SET OF, its elements in ascending order of their encoding (X.690 §11.6). */
export function setOf(...elements: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return around({ tagClass: UNIVERSAL, tagNumber: 17 }, elements.toSorted(Buffer.compare));
}

/** DER of a constructed `[number]`. */
export function tagged(tagNumber: number, ...elements: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return around({ tagClass: CONTEXT, tagNumber }, elements);
}

/** DER of a primitive `[number]`. */
export function taggedBytes(tagNumber: number, valueHex: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(new asn1.Primitive({ idBlock: { tagClass: CONTEXT, tagNumber }, valueHex }));
}

export function integer(value: number): Uint8Array<ArrayBuffer> {
  return encode(new asn1.Integer({ value }));
}

/** DER of an INTEGER with these bytes, most significant first. The highest bit must be clear. */
export function bigInteger(valueHex: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(new asn1.Integer({ valueHex }));
}

export function oid(value: string): Uint8Array<ArrayBuffer> {
  return encode(new asn1.ObjectIdentifier({ value }));
}

export function octets(valueHex: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(new asn1.OctetString({ valueHex }));
}

/** DER of a BIT STRING of whole bytes. */
export function bits(valueHex: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode(new asn1.BitString({ valueHex }));
}

export function yes(): Uint8Array<ArrayBuffer> {
  return encode(new asn1.Boolean({ value: true }));
}

export function utf8(value: string): Uint8Array<ArrayBuffer> {
  return encode(new asn1.Utf8String({ value }));
}

/** DER of a time in seconds since the epoch, as certificates write it (RFC 5280 §4.1.2.5). */
export function time(seconds: number): Uint8Array<ArrayBuffer> {
  const valueDate = new Date(seconds * 1000);
  const isNear = valueDate.getUTCFullYear() < 2050;
  return encode(new (isNear ? asn1.UTCTime : asn1.GeneralizedTime)({ valueDate }));
}

export function nothing(): Uint8Array<ArrayBuffer> {
  return encode(new asn1.Null());
}

const UNIVERSAL = 1;
const CONTEXT = 3;

/** Wraps bytes that are DER already: a certificate must come out exactly as it went in. */
function around(
  idBlock: { readonly tagClass: number; readonly tagNumber: number },
  elements: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const block = new asn1.Primitive({ idBlock, valueHex: Buffer.concat(elements) });
  block.idBlock.isConstructed = true;
  return encode(block);
}

function encode(block: asn1.BaseBlock): Uint8Array<ArrayBuffer> {
  return new Uint8Array(block.toBER());
}
