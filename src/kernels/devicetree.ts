/** The device tree of installed kernels, as kernel-install finds it. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';

const FILES = ['/etc/kernel/devicetree', '/usr/lib/kernel/devicetree'];
/** In bytes. They hold one path. */
const LIMIT = 4096;

/**
 * Returns the device tree that the configuration names, or undefined when it names none.
 * @throws {CONFIG_INVALID} when it names one that no package of this kernel has
 */
export function findDevicetree(release: string, disk: Disk): string | undefined {
  const file = FILES.find((path) => disk.stat(path)?.kind === 'file');
  if (file === undefined) return undefined;
  const name = new TextDecoder().decode(disk.read(file, LIMIT)).trim();
  if (name === '') return undefined;
  const places = [
    `/usr/lib/firmware/${release}/device-tree`,
    `/usr/lib/linux-image-${release}`,
    `/usr/lib/modules/${release}/dtb`,
  ].map((directory) => `${directory}/${name}`);
  const found = places.find((path) => disk.stat(path)?.kind === 'file');
  if (found !== undefined) return found;
  throw new EspError('CONFIG_INVALID', `${file}: Linux ${release} has no device tree ${name}`, {
    hint: `it is looked for at ${places.join(', ')}`,
  });
}
