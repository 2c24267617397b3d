/** Numbers and zeros in disk images. */

const ZEROS = new Uint8Array(64 * 1024);

/** Returns whether bytes are all zeros. */
export function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false;
  }
  return true;
}

/** Returns the next multiple of a step. */
export function aligned(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** Returns bytes as a view. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A number beyond 2^53 loses precision but stays too large for any file. */
export function bigAt(view: DataView, at: number, isLittle = false): number {
  return Number(view.getBigUint64(at, isLittle));
}
