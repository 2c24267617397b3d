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

/** Where an x86 kernel says the version of its boot protocol, and the longest command line. */
const PROTOCOL = 0x206;
const CMDLINE_SIZE = 0x238;
/** The first version of the protocol that tells. */
const TELLS_SIZE = 0x0206;

/**
 * Returns the longest command line in bytes, without its NUL, that an x86 kernel says it takes (Linux
 * x86 boot protocol §cmdline_size), or undefined when the file does not say.
 */
export function setupCmdlineSize(source: ByteSource): number | undefined {
  const header = source.read(SETUP_HEADER, CMDLINE_SIZE + 4 - SETUP_HEADER);
  if (header.length < CMDLINE_SIZE + 4 - SETUP_HEADER) return undefined;
  if (ascii(header.subarray(2, 6)) !== MAGIC) return undefined;
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  if (view.getUint16(PROTOCOL - SETUP_HEADER, true) < TELLS_SIZE) return undefined;
  return view.getUint32(CMDLINE_SIZE - SETUP_HEADER, true) || undefined;
}

function ascii(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? bytes : bytes.subarray(0, end)));
}
