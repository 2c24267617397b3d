/** The release of a system's kernel, as the directory of its modules says. */
import type { Disk } from '../disk/disk.ts';

const RELEASE = /^\d[\w.+~-]{0,127}$/;

/**
 * Returns what `uname -r` will say: the kernel looks for its modules in a directory of that name.
 * Undefined where there is none, or more than one.
 */
export function modulesRelease(disk: Disk, toplevel: string): string | undefined {
  const [found, ...others] = disk.list(`${toplevel}/kernel-modules/lib/modules`) ?? [];
  return others.length === 0 && found && RELEASE.test(found.name) ? found.name : undefined;
}
