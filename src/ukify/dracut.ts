/** Makes the initrd of `uki build --dracut`. */

import { type Context, isElsewhere } from '../context.ts';
import { DRACUT_LISTS } from '../settings/uki-options.ts';
import type { BuildSettings } from './build-settings.ts';
import type { DracutInitrd } from './dracut-program.ts';
import { misuse } from './misuse.ts';

/**
 * Has dracut make an initrd if that was requested. The caller removes it.
 * @throws {CONFIG_INVALID} when options for dracut come without --dracut, or when the release is
 * unknown
 * @throws {DRACUT_FAILED}
 */
export async function initrdByDracut(
  settings: BuildSettings,
  context: Context,
): Promise<DracutInitrd | undefined> {
  const options = DRACUT_LISTS.flatMap((name) =>
    settings[name].map((value) => [name, value] as const),
  );
  if (!settings.dracut) {
    const stray = settings.kver === undefined ? options[0]?.[0] : 'kver';
    if (stray !== undefined) throw misuse(`--${stray}: it is for --dracut, which is not given`);
    return undefined;
  }
  if (isElsewhere(context)) throw misuse('--dracut: dracut works for the running system alone');
  const kernelRelease = settings.kver ?? settings.uname;
  if (!kernelRelease) throw misuse('--dracut: the kernel does not tell its release; give --kver');
  const { makeDracutInitrd } = await import('./dracut-program.ts');
  const directory = context.environment['TMPDIR'] ?? '/var/tmp';
  return makeDracutInitrd({ kernelRelease, options }, directory, context);
}
