/** The release of a kernel that has no header to tell it, from the banner with which it starts. */
import type { ByteSource } from '../byte-source.ts';
import { unpackedAt } from '../initrd/packed.ts';
import { pieces } from '../initrd/pieces.ts';

/** The release, then who built it: `Linux version 6.12.3 (builder@host) …` */
const BANNER = /Linux version (\d[\w.+~-]{0,127}) \(/;
/** A banner may begin in one piece and end in the next: characters. */
const OVERLAP = 256;
/** More is in no kernel. Bytes. */
const LIMIT = 1024 ** 3;

/**
 * Returns what `uname -r` will say, or undefined when there is no banner or it is packed with what
 * cannot be unpacked here. Reads the kernel from its start to the banner, which may be most of it.
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

/** A kernel that unpacks itself says in its header where it is packed (Linux zboot-header.S). */
function contentOf(source: ByteSource): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  const header = source.read(0, 12);
  const isZboot = header.length === 12 && LATIN1.decode(header.subarray(4, 8)) === 'zimg';
  if (!isZboot) return pieces(source, 0, source.size);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  return unpackedAt(source, view.getUint32(8, true));
}
