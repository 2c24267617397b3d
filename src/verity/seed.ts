/** Derives salt and UUID from a seed, so that the same data give the same image again. */
import { createHmac } from 'node:crypto';
import { uuidFrom } from './uuid.ts';

/** The default seed: all zeros. A salt is no secret, so a known one does no harm. */
export const NO_SEED = new Uint8Array(16);

/** Returns the salt (32 bytes) that systemd-repart derives from a seed (16 bytes). */
export function saltFrom(seed: Uint8Array): Uint8Array {
  return derive(seed, 'verity-salt');
}

/**
 * Returns the UUID that systemd-repart derives from a seed for a superblock. With a root hash as
 * the seed, the UUID is the same for the same image and for no other.
 */
export function superblockUuidFrom(seed: Uint8Array): Uint8Array {
  return uuidFrom(derive(seed, 'verity-uuid'));
}

function derive(key: Uint8Array, purpose: string): Uint8Array {
  return Uint8Array.from(createHmac('sha256', key).update(purpose).digest());
}
