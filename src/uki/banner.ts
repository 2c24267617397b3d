/**
 * Finds the release of a kernel without a header for it, in the banner that it prints at its start.
 */
import type { ByteSource } from '../byte-source.ts';
import { unpackedAt } from '../initrd/packed.ts';
import { pieces } from '../initrd/pieces.ts';

/** The release, then who built it: `Linux version 6.12.3 (builder@host) …` */
const BANNER = /Linux version (\d[\w.+~-]{0,127}) \(/;
/** In characters. A banner may begin in one piece and end in the next. */
const OVERLAP = 256;
/** In bytes. No kernel is larger. */
const LIMIT = 1024 ** 3;

/**
 * Returns the output of `uname -r`. Returns undefined when there is no banner, or when the kernel
 * is packed in a way that cannot be unpacked here. It reads the kernel up to the banner, which may
 * be most of it.
 */
export async function bannerRelease(source: ByteSource): Promise<string | undefined> {
  let before = '';
  let left = LIMIT;
  for await (const piece of contentOf(source)) {
    const text = before + LATIN1.decode(piece);
    const release = BANNER.exec(text)?.[1];
    left -= piece.length;
    if (release !== undefined || left < 0) return release;
    before = text.slice(-OVERLAP);
  }
  return undefined;
}

/** One character for each byte. */
const LATIN1 = new TextDecoder('latin1');

/**
 * A kernel that unpacks itself says in its header where the packed part is (Linux zboot-header.S).
 */
function contentOf(source: ByteSource): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  const header = source.read(0, 12);
  const isZboot = header.length === 12 && LATIN1.decode(header.subarray(4, 8)) === 'zimg';
  if (!isZboot) return pieces(source, 0, source.size);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  return unpackedAt(source, view.getUint32(8, true));
}
