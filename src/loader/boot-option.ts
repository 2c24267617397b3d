/** The boot entries of firmware: which program on which partition each of them starts. Pure; untrusted bytes. */
import { formatGuid, GUID_SIZE, type Guid, guidBytes } from '../guid.ts';

/** What one `Boot####` variable starts, as far as it names a file on a partition of a GPT. */
export interface BootOption {
  /** Firmware passes over one that is not active. */
  readonly isActive: boolean;
  /** PARTUUID, in lower case. */
  readonly partition: string | undefined;
  /** Path with backslashes, as it stands there. */
  readonly path: string | undefined;
  /** What firmware’s own menu shows. */
  readonly title: string;
}

/** EFI_LOAD_OPTION (UEFI §3.1.3): offsets in bytes. */
const ATTRIBUTES = 0;
const ACTIVE = 1;
const DESCRIPTION = 6;

/** Nodes of a device path (UEFI §10.3): type and subtype. */
const HARD_DRIVE = 0x0401;
const FILE_PATH = 0x0404;
const END = 0x7fff;
const HEADER = 4;
/** Where a hard drive node has the signature of its partition, and what says that it is a GUID. */
const SIGNATURE = 24;
const SIGNATURE_TYPE = 41;
const IS_GUID = 2;

/** Returns what a `Boot####` variable says, or undefined when it is not one. */
export function parseBootOption(bytes: Uint8Array): BootOption | undefined {
  if (bytes.length < DESCRIPTION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const start = endOfText(view, DESCRIPTION);
  if (start === undefined) return undefined;
  const isActive = (view.getUint32(ATTRIBUTES, true) & ACTIVE) !== 0;
  let [partition, path]: (string | undefined)[] = [];
  for (const { kind, body } of nodes(bytes.subarray(start))) {
    if (kind === HARD_DRIVE) partition = partitionOf(body) ?? partition;
    if (kind === FILE_PATH) path = (path ?? '') + textOf(body);
  }
  return { isActive, partition, path, title: textAt(bytes, DESCRIPTION) };
}

/** Returns the numbers in BootOrder, in their order. */
export function parseBootOrder(bytes: Uint8Array): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 1 }, (_, index) => view.getUint16(index * 2, true));
}

/** Where the text that begins at an offset is over, behind its NUL. */
function endOfText(view: DataView, offset: number): number | undefined {
  for (let at = offset; at + 2 <= view.byteLength; at += 2) {
    if (view.getUint16(at, true) === 0) return at + 2;
  }
  return undefined;
}

/** The nodes of a device path up to its end; one that does not fit ends it. */
function* nodes(bytes: Uint8Array): Generator<{ kind: number; body: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const kind = view.getUint16(at, false);
    const length = view.getUint16(at + 2, true);
    if (kind === END || length < HEADER || at + length > bytes.length) return;
    yield { kind, body: bytes.subarray(at, at + length) };
    at += length;
  }
}

function partitionOf(node: Uint8Array): string | undefined {
  if (node.length <= SIGNATURE_TYPE || node[SIGNATURE_TYPE] !== IS_GUID) return undefined;
  return formatGuid(node.subarray(SIGNATURE, SIGNATURE + GUID_SIZE));
}

function textOf(node: Uint8Array): string {
  return textAt(node, HEADER);
}

function textAt(bytes: Uint8Array, offset: number): string {
  const [text = ''] = new TextDecoder('utf-16le').decode(bytes.subarray(offset)).split('\0', 1);
  return text;
}

/** Where a partition is, as a device path says it (UEFI §10.3.5.1). In blocks of the disk. */
export interface PartitionPlace {
  /** Counted from 1. */
  readonly number: number;
  readonly first: bigint;
  readonly blocks: bigint;
  readonly uuid: Guid;
}

/** The bytes of a hard drive node, and its format: a GPT. */
const DRIVE_SIZE = 42;
const IS_GPT = 2;

/** Returns the bytes of a `Boot####` variable that starts a file, as bootctl writes them. */
export function formatBootOption(
  title: string,
  partition: PartitionPlace,
  path: string,
): Uint8Array {
  const drive = Buffer.alloc(DRIVE_SIZE);
  drive.writeUInt16BE(HARD_DRIVE, 0);
  drive.writeUInt16LE(DRIVE_SIZE, 2);
  drive.writeUInt32LE(partition.number, 4);
  drive.writeBigUInt64LE(partition.first, 8);
  drive.writeBigUInt64LE(partition.blocks, 16);
  drive.set(guidBytes(partition.uuid), SIGNATURE);
  drive.writeUInt8(IS_GPT, SIGNATURE_TYPE - 1);
  drive.writeUInt8(IS_GUID, SIGNATURE_TYPE);
  const name = utf16(path);
  const file = Buffer.alloc(HEADER);
  file.writeUInt16BE(FILE_PATH, 0);
  file.writeUInt16LE(HEADER + name.length, 2);
  const end = Buffer.from([0x7f, 0xff, HEADER, 0]);
  const devices = Buffer.concat([drive, file, name, end]);
  const head = Buffer.alloc(DESCRIPTION);
  head.writeUInt32LE(ACTIVE, ATTRIBUTES);
  head.writeUInt16LE(devices.length, 4);
  return Buffer.concat([head, utf16(title), devices]);
}

/** Returns the bytes of BootOrder, and of BootNext, which holds one number. */
export function formatBootOrder(numbers: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(numbers.length * 2);
  for (const [index, number] of numbers.entries()) bytes.writeUInt16LE(number, index * 2);
  return bytes;
}

/** Returns text as firmware holds it, with the NUL that ends it. */
export function utf16(text: string): Uint8Array {
  return Buffer.from(`${text}\0`, 'utf16le');
}
