/** Finds the running system. */
import type { Disk } from '../disk/disk.ts';
import { findOrigin } from '../esp/mount.ts';

/**
 * Returns the real path of the running system, or undefined when it is unknown. systemd follows
 * links when it binds a path, so a confined service sees a mount in place of the link. Then the
 * mount table tells where in the store the system lies.
 */
export function bootedSystem(disk: Disk, link: string): string | undefined {
  const real = disk.realPath(link);
  return real === link ? (findOrigin(disk, link) ?? real) : real;
}
