/**
 * The store of EFI variables in a firmware's file, as OVMF_VARS.fd: a firmware volume with
 * authenticated variables (EDK2, VariableFormat.h; PI 1.8 volume 3 §3.2). Untrusted bytes.
 */
import { EspError } from '../error.ts';
import { formatGuid, GUID_SIZE, type Guid, guidBytes } from '../guid.ts';
import { utf16Bytes, utf16Text } from '../utf16.ts';
import { TIME_SIZE } from './efi-time.ts';

/** A variable. */
export interface StoredVariable {
  readonly name: string;
  readonly vendor: Guid;
  readonly attributes: number;
  /** EFI_TIME of the last signed write; zeros for a variable that needs no signature. */
  readonly time: Uint8Array;
  readonly data: Uint8Array;
}

/** Attributes: it outlives a restart, and is seen by boot loaders and by the running system. */
export const NON_VOLATILE = 7;
/** Only signed writes with a later time change it. */
export const TIME_AUTHENTICATED = 0x20;

/** What a variable has that needs no signature. */
export const NO_TIME = new Uint8Array(TIME_SIZE);

/** Offsets in the header of the firmware volume. */
const VOLUME = { signature: 40, headerSize: 48, end: 56 } as const;
const SIGNATURE = '_FVH';
/** In the store, whose kind is a GUID: its size, and what says that it is formatted and healthy. */
const STORE = { size: 16, format: 20, state: 21, end: 28 } as const;
const AUTHENTICATED = 'aaf32c78-947b-439a-a180-2e144ec37792' as Guid;
const FORMATTED = 0x5a;
const HEALTHY = 0xfe;
/** In a variable. */
const FIELD = {
  start: 0,
  state: 2,
  attributes: 4,
  time: 16,
  nameSize: 36,
  dataSize: 40,
  vendor: 44,
  end: 60,
} as const;
const START = 0x55aa;
/** States: written whole; and on its way out, which is as good until the next one is written. */
const ADDED = 0x3f;
const IN_DELETION = 0x3e;
const ALIGNMENT = 4;
const ERASED = 0xff;

/**
 * Returns the variables in a file.
 * @param name of the file, in errors
 * @throws {VARIABLES_MALFORMED} when it is no store of authenticated variables, or a damaged one
 */
export function readVariables(file: Uint8Array, name: string): readonly StoredVariable[] {
  const { start, end } = storeIn(file, name);
  const variables: StoredVariable[] = [];
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  for (let at = start; at + FIELD.end <= end; ) {
    if (view.getUint16(at + FIELD.start, true) !== START) break;
    const nameSize = view.getUint32(at + FIELD.nameSize, true);
    const dataSize = view.getUint32(at + FIELD.dataSize, true);
    const dataAt = at + FIELD.end + nameSize;
    if (dataAt + dataSize > end) {
      throw malformed(name, `a variable at offset ${at} within the store`, `${dataSize} bytes`);
    }
    const state = view.getUint8(at + FIELD.state);
    if (state === ADDED || state === IN_DELETION) {
      variables.push({
        name: utf16Text(file.subarray(at + FIELD.end, dataAt)),
        vendor: formatGuid(file.subarray(at + FIELD.vendor, at + FIELD.vendor + GUID_SIZE)),
        attributes: view.getUint32(at + FIELD.attributes, true),
        time: file.slice(at + FIELD.time, at + FIELD.time + TIME_SIZE),
        data: file.slice(dataAt, dataAt + dataSize),
      });
    }
    at = aligned(dataAt + dataSize);
  }
  return variables;
}

/**
 * Returns a file with further variables. Those of the same name and vendor are replaced; what was
 * deleted is gone for good. The same arguments give the same bytes.
 * @throws {VARIABLES_MALFORMED} as {@link readVariables}
 * @throws {CONFIG_INVALID} when they do not fit
 */
export function withVariables(
  file: Uint8Array,
  variables: readonly StoredVariable[],
  name: string,
): Uint8Array {
  const keyOf = ({ name: own, vendor }: StoredVariable) => `${vendor} ${own}`;
  const all = new Map(
    [...readVariables(file, name), ...variables].map((each) => [keyOf(each), each]),
  );
  const { start, end } = storeIn(file, name);
  const written = Uint8Array.from(file).fill(ERASED, start, end);
  let at = start;
  for (const variable of all.values()) {
    const bytes = formatVariable(variable);
    if (at + bytes.length > end) {
      throw new EspError(
        'CONFIG_INVALID',
        `${name}: expected room for ${variable.name}, ${bytes.length} bytes, got ${end - at}`,
        { hint: 'take a firmware with a larger store, as OVMF_VARS_4M.fd, or enrol fewer keys' },
      );
    }
    written.set(bytes, at);
    at = aligned(at + bytes.length);
  }
  return written;
}

function formatVariable({ name, vendor, attributes, time, data }: StoredVariable): Uint8Array {
  const text = utf16Bytes(name);
  const bytes = new Uint8Array(FIELD.end + text.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(FIELD.start, START, true);
  view.setUint8(FIELD.state, ADDED);
  view.setUint32(FIELD.attributes, attributes, true);
  bytes.set(time, FIELD.time);
  view.setUint32(FIELD.nameSize, text.length, true);
  view.setUint32(FIELD.dataSize, data.length, true);
  bytes.set(guidBytes(vendor), FIELD.vendor);
  bytes.set(text, FIELD.end);
  bytes.set(data, FIELD.end + text.length);
  return bytes;
}

/** Returns where the variables begin and where their store ends. */
function storeIn(file: Uint8Array, name: string): { readonly start: number; readonly end: number } {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const hint = 'take a file of variables that belongs to the firmware, as OVMF_VARS_4M.fd';
  const signature = String.fromCharCode(...file.subarray(VOLUME.signature, VOLUME.signature + 4));
  if (file.length < VOLUME.end || signature !== SIGNATURE) {
    throw malformed(name, 'a firmware volume', 'something else', hint);
  }
  const at = view.getUint16(VOLUME.headerSize, true);
  if (at + STORE.end > file.length) throw malformed(name, 'a store of variables', 'its end', hint);
  const kind = formatGuid(file.subarray(at));
  if (kind !== AUTHENTICATED) {
    throw malformed(name, `a store of authenticated variables (${AUTHENTICATED})`, kind, hint);
  }
  const size = view.getUint32(at + STORE.size, true);
  const states = [view.getUint8(at + STORE.format), view.getUint8(at + STORE.state)];
  if (
    at + size > file.length ||
    size < STORE.end ||
    states.join() !== [FORMATTED, HEALTHY].join()
  ) {
    throw malformed(name, 'a healthy store of variables', `${size} bytes, states ${states}`, hint);
  }
  return { start: at + STORE.end, end: at + size };
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
}

function malformed(name: string, expected: string, got: string, hint?: string): EspError {
  return new EspError('VARIABLES_MALFORMED', `${name}: expected ${expected}, got ${got}`, { hint });
}
