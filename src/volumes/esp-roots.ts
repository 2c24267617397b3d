/** Which directories the settings mean by ESP. */

import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { type Access, findEsp, requireEsp } from '../esp/mount.ts';
import type { Settings } from '../settings/settings.ts';

/** One ESP of the settings. */
export interface Esp {
  /** Where it is mounted: a real path, unless nothing is there. */
  readonly root: string;
  /** Why nothing can be done with it. */
  readonly failure?: EspError;
}

/**
 * Returns the ESPs, the primary first and each once. One that cannot be used stops none of the others.
 * @throws {ESP_NOT_MOUNTED} @throws {ESP_NOT_FAT} @throws {ESP_READ_ONLY} when none can be used: what
 * is wrong with the primary
 */
export function findEsps(
  settings: Settings,
  { disk }: Context,
  access: Access = 'write',
): readonly Esp[] {
  const found = (settings.esp ?? [findEsp(disk)]).map((path): Esp => {
    if (path === undefined) throw nowhere();
    try {
      return { root: requireEsp(disk, path, settings['allow-directory'], access) };
    } catch (error) {
      return { root: path, failure: expected(error) };
    }
  });
  requireOne(found);
  return [...new Map(found.map((esp) => [esp.root, esp])).values()];
}

/** Returns what may go wrong with an ESP; what may not is thrown. */
export function expected(error: unknown): EspError {
  if (error instanceof EspError) return error;
  throw error;
}

/** Throws what is wrong with the primary when something is wrong with all. */
export function requireOne(esps: readonly { readonly failure?: EspError | undefined }[]): void {
  if (esps[0]?.failure && esps.every(({ failure }) => failure)) throw esps[0].failure;
}

/**
 * Returns where the ESPs are, the primary first. A mirror that is missing is told when its turn
 * comes: it must not stop the primary.
 * @throws {ESP_NOT_MOUNTED} @throws {ESP_NOT_FAT} @throws {ESP_READ_ONLY} for the primary
 */
export function espRoots(settings: Settings, context: Context, access?: Access): readonly string[] {
  const esps = findEsps(settings, context, access);
  if (esps[0]?.failure) throw esps[0].failure;
  return esps.map(({ root }) => root);
}

function nowhere(): EspError {
  return new EspError(
    'ESP_NOT_MOUNTED',
    'no FAT file system is mounted at /efi, /boot or /boot/efi',
    {
      hint: 'mount the ESP, or name where it is mounted with --esp',
    },
  );
}
