/** Which directories the settings mean by ESP. */
import { EspError } from '../error.ts';
import { type Access, findEsp, requireEsp } from '../esp/mount.ts';
import type { Context } from './context.ts';
import type { Settings } from './settings.ts';

/**
 * Returns where the ESPs are, the primary first and by its real path. A mirror that is missing is
 * told when its turn comes: it must not stop the primary.
 * @throws {ESP_NOT_MOUNTED} @throws {ESP_NOT_FAT} @throws {ESP_READ_ONLY} for the primary
 */
export function espRoots(
  settings: Settings,
  { disk }: Context,
  access: Access = 'write',
): readonly string[] {
  const [primary, ...mirrors] = settings.esp ?? [findEsp(disk)];
  if (primary === undefined) {
    throw new EspError(
      'ESP_NOT_MOUNTED',
      'no FAT file system is mounted at /efi, /boot or /boot/efi',
      { hint: 'mount the ESP, or name where it is mounted with --esp' },
    );
  }
  const real = requireEsp(disk, primary, settings['allow-directory'], access);
  return [...new Set([real, ...mirrors.filter((path) => path !== undefined)])];
}
