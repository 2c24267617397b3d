/** Where pins are kept: links like those of a profile, which Nix takes for roots where it is installed. */
import type { Disk } from '../disk/disk.ts';
import type { Generation } from '../generation/generation.ts';
import type { Settings } from '../settings/settings.ts';

/** Everything below is a root for Nix: what a link there leads to is not collected. */
const NIX_ROOTS = '/nix/var/nix/gcroots';
const WITHOUT_NIX = '/var/lib/espalier/pins';

/** Returns the directory of pins: as told, else among Nix's roots, else our own. */
export function pinsDirectory({ pins }: Settings, disk: Disk): string {
  if (pins !== undefined) return pins;
  return disk.stat(NIX_ROOTS) ? `${NIX_ROOTS}/espalier` : WITHOUT_NIX;
}

/** Returns the path of a generation's pin: named as in a directory of profiles, so that it reads as one. */
export function linkOfPin(
  directory: string,
  { profile, number }: Pick<Generation, 'profile' | 'number'>,
): string {
  return profile === undefined
    ? `${directory}/system-${number}-link`
    : `${directory}/system-profiles/${profile}-${number}-link`;
}
