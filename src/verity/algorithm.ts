/** The hash algorithms of dm-verity that we compute. Kernel and Node use the same names. */

/** The size of a digest by algorithm, in bytes. */
const DIGEST_SIZES = { sha1: 20, sha224: 28, sha256: 32, sha384: 48, sha512: 64 } as const;

export type Algorithm = keyof typeof DIGEST_SIZES;

export const ALGORITHMS: readonly string[] = Object.keys(DIGEST_SIZES);

export function isAlgorithm(name: string): name is Algorithm {
  return Object.hasOwn(DIGEST_SIZES, name);
}

/** Returns the size of a digest in bytes. */
export function digestSize(algorithm: Algorithm): number {
  return DIGEST_SIZES[algorithm];
}

/** Returns the size of a digest's slot in the tree, in bytes: the next power of two. */
export function slotSize(algorithm: Algorithm): number {
  return 2 ** Math.ceil(Math.log2(digestSize(algorithm)));
}
