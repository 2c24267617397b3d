/** Kernels without an x86 header, which tell their release in a banner: plain, or packed as zboot does. */
import { aPe } from '../pe/a-pe.ts';

/** Returns the words with which a kernel of a release begins. */
export function aBanner(release: string): string {
  return `Linux version ${release} (builder@host) (gcc 14.2) #1 SMP Fri Nov 20`;
}

/** Returns an image of these bytes, as of arm64. */
export function aPlainKernel(content: Uint8Array): Uint8Array {
  return aPe({ sections: [{ name: '.text', bytes: content }] });
}

/** Returns an image that unpacks these bytes when it starts (Linux zboot-header.S). */
export function aZbootKernel(packed: Uint8Array, method: string): Uint8Array {
  const image = aPlainKernel(packed);
  const offset = Buffer.from(image).indexOf(packed);
  image.set(new TextEncoder().encode('zimg'), 4);
  const view = new DataView(image.buffer, image.byteOffset);
  view.setUint32(8, offset, true);
  view.setUint32(12, packed.length, true);
  image.set(new TextEncoder().encode(`${method}\0`), 0x18);
  return image;
}
