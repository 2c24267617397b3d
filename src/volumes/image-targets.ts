/** Runs whose ESPs lie in disk images: nothing of this machine says anything about them. */
import type { Context } from '../context.ts';
import { imagePlace } from '../disk/image-place.ts';
import { EspError } from '../error.ts';
import type { Settings } from '../settings/settings.ts';
import { openImage } from './esp-roots.ts';

/** The settings and the context of a run. */
export interface Ground {
  readonly settings: Settings;
  readonly context: Context;
}

/**
 * Returns what a run works with. On images it has them open, asks no EFI variable of this machine, and
 * looks for what root hashes protect in the images alone.
 * @throws {CONFIG_INVALID} when an image and a mounted ESP are named together
 */
export async function groundFor(
  settings: Settings,
  context: Context,
): Promise<Ground & Disposable> {
  const esps = settings.esp ?? [];
  const inImages = esps.filter((path) => imagePlace(path, context.disk) !== undefined);
  if (inImages.length === 0) return { settings, context, [Symbol.dispose]: () => undefined };
  requireImagesAlone(esps, inImages, settings, context);
  const { Images } = await import('../disk/images.ts');
  const images = new Images(context);
  const tables = inImages.flatMap((path) => images.tableAt(path) ?? []);
  const disk = settings.disk ?? (tables.length > 0 ? tables : undefined);
  return {
    settings: { ...settings, 'allow-directory': true, ...(disk && { disk }) },
    context: { ...context, images },
    [Symbol.dispose]: () => images[Symbol.dispose](),
  };
}

/** Refuses images where a verb goes on working for as long as the machine runs. @throws {CONFIG_INVALID} */
export function requireMounts({ esp = [] }: Settings, context: Context): void {
  for (const path of esp) {
    if (imagePlace(path, context.disk) !== undefined) openImage(path, context, 'read');
  }
}

function requireImagesAlone(
  esps: readonly string[],
  inImages: readonly string[],
  { xbootldr, 'former-xbootldr': former }: Settings,
  { disk }: Context,
): void {
  const isMounted = xbootldr !== undefined && imagePlace(xbootldr, disk) === undefined;
  if (isMounted || former !== undefined) {
    throw new EspError(
      'CONFIG_INVALID',
      `${xbootldr ?? former}: it is mounted, and ${inImages[0]} is a disk image`,
      { hint: `name a partition of the image, as ${inImages[0]}#2` },
    );
  }
  const other = esps.find((path) => !inImages.includes(path));
  if (other === undefined) return;
  throw new EspError(
    'CONFIG_INVALID',
    `${inImages[0]} is a disk image, and ${other} is none: a run works on one or the other`,
    { hint: 'name them in two runs' },
  );
}
