/** Reads the release of a kernel from its file. */
import type { ByteSource } from '../byte-source.ts';

const SETUP_HEADER = 0x200;
const MAGIC = 'HdrS';
const MAX_VERSION = 128;

/**
 * Returns the output of `uname -r`, from the setup header of an x86 kernel (Linux x86 boot protocol
 * §kernel_version). Returns undefined when the file has no such header, as on other architectures.
 */
export function kernelRelease(source: ByteSource): string | undefined {
  const header = source.read(SETUP_HEADER, 16);
  if (header.length < 16 || ascii(header.subarray(2, 6)) !== MAGIC) return undefined;
  const pointer = (header[14] ?? 0) | ((header[15] ?? 0) << 8);
  if (pointer === 0) return undefined;
  const version = ascii(source.read(SETUP_HEADER + pointer, MAX_VERSION));
  // The text is the release, then who built it: `6.12.3 (builder@host) #1 SMP …`
  return /^([A-Za-z0-9._+~-]+) \(/.exec(version)?.[1];
}

function ascii(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}
