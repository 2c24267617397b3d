/** What firmware shall start from an image: a program on its ESP, as a boot entry. */
import type { Context } from '../context.ts';
import { findPart } from '../disk/image-part.ts';
import { imagePlace } from '../disk/image-place.ts';
import { Images } from '../disk/images.ts';
import { EspError } from '../error.ts';
import { parseGuid } from '../guid.ts';
import type { FileOption } from '../loader/boot-option.ts';
import { openImage } from './opened-image.ts';

/** A program to start; without a path, the boot loader that is on the ESP. */
export interface BootWish {
  readonly path?: string | undefined;
  readonly description?: string | undefined;
}

const SYSTEMD_BOOT = 'Linux Boot Manager';

/**
 * Returns boot entries for programs on the ESP of an image of any format.
 * @param image as `--esp` takes it: `disk.raw`, `disk.raw#2`
 * @throws {CONFIG_INVALID} when it has no ESP in a GPT, or the program is not there
 */
export async function bootOptionsFor(
  image: string,
  wishes: readonly BootWish[],
  context: Context,
): Promise<readonly FileOption[]> {
  const place = imagePlace(image, context.disk);
  if (place === undefined) throw new EspError('FILE_MISSING', `${image} does not exist`);
  using opened = await openImage(place.file, context);
  using images = new Images(opened.context);
  const { root, disk } = images.open(image, 'read');
  const { number, offset, size, sectorSize = 512, partition: found } = findPart(opened.disk, place);
  const uuid = parseGuid(found?.uuid ?? '');
  if (uuid === undefined || number === undefined) {
    throw new EspError(
      'CONFIG_INVALID',
      `${image}: firmware finds an ESP by its GPT, and there is none`,
    );
  }
  const partition = { number, uuid, first: offset / sectorSize, sectors: size / sectorSize };
  return wishes.map(({ path = loaderOn(root, disk, image), description }) => {
    const plain = path.replaceAll('\\', '/').replace(/^\/*/, '/');
    if (disk.stat(`${root}${plain}`)?.kind !== 'file') {
      throw new EspError('CONFIG_INVALID', `${image}: its ESP has no ${plain}`, {
        hint: 'install a boot loader first, or name a program that is there',
      });
    }
    return { partition, path: plain, title: description ?? SYSTEMD_BOOT };
  });
}

/** Where a boot loader may be: systemd-boot's own place, which nobody else writes to, comes first. */
const LOADERS = [
  ['/EFI/systemd', /^systemd-boot.+\.efi$/i],
  ['/EFI/BOOT', /^boot.+\.efi$/i],
] as const;

function loaderOn(root: string, disk: Context['disk'], image: string): string {
  for (const [directory, name] of LOADERS) {
    const found = disk.list(`${root}${directory}`)?.find((entry) => name.test(entry.name));
    if (found !== undefined) return `${directory}/${found.name}`;
  }
  throw new EspError('CONFIG_INVALID', `${image}: its ESP has no boot loader`, {
    hint: 'install one first, or name a program with --boot',
  });
}
