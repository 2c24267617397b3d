/** Which system runs. */
import type { Disk } from '../disk/disk.ts';
import { findOrigin } from '../esp/mount.ts';

/**
 * Returns the real path of the running system, or undefined when that is not known. A confined
 * service sees no link but a mount of what it leads to, for systemd follows links when it binds;
 * then the mount table tells where in the store that lies.
 */
export function bootedSystem(disk: Disk, link: string): string | undefined {
  const real = disk.realPath(link);
  return real === link ? (findOrigin(disk, link) ?? real) : real;
}
