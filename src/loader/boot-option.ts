/** The boot entries of firmware: which program on which partition each of them starts. Pure; untrusted bytes. */
import { formatGuid, GUID_SIZE, type Guid, guidBytes } from '../guid.ts';
import { utf16Bytes, utf16Text } from '../utf16.ts';

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
  /** Whether it leads to a file that is on the ESP; absent where nobody looked. */
  readonly isThere?: boolean;
}

/** Where a partition is, as a device path says it (UEFI §10.3.5.1). In sectors of the disk. */
export interface PartitionPlace {
  /** Counted from 1. */
  readonly number: number;
  readonly uuid: Guid;
  readonly first: number;
  readonly sectors: number;
}

/** A file that firmware is to start, on a partition of a GPT. */
export interface FileOption {
  /** What firmware shows a person. */
  readonly title: string;
  readonly partition: PartitionPlace;
  /** With slashes or backslashes. */
  readonly path: string;
}

/** EFI_LOAD_OPTION (UEFI §3.1.3): offsets in bytes. */
const ATTRIBUTES = 0;
const PATH_SIZE = 4;
const ACTIVE = 1;
const DESCRIPTION = 6;

/** Nodes of a device path (UEFI §10.3): type and subtype. */
const HARD_DRIVE = 0x0401;
const FILE_PATH = 0x0404;
const END = 0x7fff;
const HEADER = 4;
/** Fields of a hard drive node; a signature of type 2 is a GUID, and so is a format of type 2. */
const DRIVE = { number: 4, first: 8, sectors: 16, format: 40, size: 42 } as const;
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
    if (kind === FILE_PATH) path = (path ?? '') + utf16Text(body.subarray(HEADER));
  }
  return { isActive, partition, path, title: utf16Text(bytes.subarray(DESCRIPTION)) };
}

/** Returns the bytes of a `Boot####` variable. */
export function formatBootOption({ title, partition, path }: FileOption): Uint8Array {
  const drive = new Uint8Array(DRIVE.size);
  const view = new DataView(drive.buffer);
  view.setUint16(0, HARD_DRIVE, false);
  view.setUint16(2, DRIVE.size, true);
  view.setUint32(DRIVE.number, partition.number, true);
  view.setBigUint64(DRIVE.first, BigInt(partition.first), true);
  view.setBigUint64(DRIVE.sectors, BigInt(partition.sectors), true);
  drive.set(guidBytes(partition.uuid), SIGNATURE);
  drive[DRIVE.format] = IS_GUID;
  drive[SIGNATURE_TYPE] = IS_GUID;
  const text = utf16Bytes(path.replaceAll('/', '\\'));
  const head = new Uint8Array(DESCRIPTION);
  const headView = new DataView(head.buffer);
  headView.setUint32(ATTRIBUTES, ACTIVE, true);
  headView.setUint16(PATH_SIZE, drive.length + HEADER + text.length + HEADER, true);
  return joined(head, utf16Bytes(title), drive, node(FILE_PATH, text), node(END, new Uint8Array()));
}

/** Returns the name of a boot entry’s variable. */
export function bootVariableName(number: number): string {
  return `Boot${number.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Returns the bytes of BootOrder, and of BootNext, which holds one number. */
export function formatBootOrder(numbers: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(numbers.length * 2);
  const view = new DataView(bytes.buffer);
  for (const [index, number] of numbers.entries()) view.setUint16(index * 2, number, true);
  return bytes;
}

function node(kind: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, kind, false);
  view.setUint16(2, bytes.length, true);
  bytes.set(body, HEADER);
  return bytes;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
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
