/** The boot entries of firmware: which program on which partition each of them starts. Pure; untrusted bytes. */
import { formatGuid, GUID_SIZE } from '../guid.ts';

/** What one `Boot####` variable starts, as far as it names a file on a partition of a GPT. */
export interface BootOption {
  /** Firmware passes over one that is not active. */
  readonly isActive: boolean;
  /** PARTUUID, in lower case. */
  readonly partition: string | undefined;
  /** Path with backslashes, as it stands there. */
  readonly path: string | undefined;
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
  return { isActive, partition, path };
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
  const [text = ''] = new TextDecoder('utf-16le').decode(node.subarray(HEADER)).split('\0', 1);
  return text;
}
