/** Whether a file is a device tree: what is none, loader and kernel take for one, and nothing starts. */
import type { ByteSource } from '../byte-source.ts';
import { EspError } from '../error.ts';

/** The header of a flattened device tree (Devicetree Specification §5.2); numbers are big-endian. */
const MAGIC = 0xd00dfeed;
const HEADER_SIZE = 40;
const TOTAL_SIZE = 4;

/**
 * Requires that a file is a whole device tree.
 * @throws {GENERATION_BROKEN}
 */
export function requireDevicetree(source: ByteSource, path: string): void {
  const fault = faultOf(source);
  if (fault === undefined) return;
  throw new EspError('GENERATION_BROKEN', `${path}: it is no device tree: ${fault}`, {
    hint: 'name a compiled device tree (.dtb), not its source and not a packed one',
  });
}

function faultOf(source: ByteSource): string | undefined {
  if (source.size < HEADER_SIZE) {
    return `expected at least ${HEADER_SIZE} bytes, got ${source.size}`;
  }
  const bytes = source.read(0, HEADER_SIZE);
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = header.getUint32(0);
  if (magic !== MAGIC)
    return `expected 0x${MAGIC.toString(16)} at its start, got 0x${magic.toString(16)}`;
  const total = header.getUint32(TOTAL_SIZE);
  const isWhole = total >= HEADER_SIZE && total <= source.size;
  return isWhole ? undefined : `it says that it has ${total} bytes, and has ${source.size}`;
}
