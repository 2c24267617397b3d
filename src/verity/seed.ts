/** Salt and UUID from a seed instead of chance, so that the same data give the same image again. */
import { createHmac } from 'node:crypto';
import { uuidFrom } from './uuid.ts';

/** The seed of those who name none: all zeros. A salt is no secret, so one that is known does no harm. */
export const NO_SEED = new Uint8Array(16);

/** Returns the salt (32 bytes) of a seed (16 bytes), the one that systemd-repart takes for it. */
export function saltFrom(seed: Uint8Array): Uint8Array {
  return derive(seed, 'verity-salt');
}

/**
 * Returns the UUID of a superblock from a seed, the one that systemd-repart takes for it. From a root
 * hash in the seed's place it makes one that is the same for the same image and no other.
 */
export function superblockUuidFrom(seed: Uint8Array): Uint8Array {
  return uuidFrom(derive(seed, 'verity-uuid'));
}

function derive(key: Uint8Array, purpose: string): Uint8Array {
  return Uint8Array.from(createHmac('sha256', key).update(purpose).digest());
}
