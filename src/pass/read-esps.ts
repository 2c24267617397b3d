/** Reads all ESPs of the settings. An ESP that cannot be read does not stop the others. */
import type { Context } from '../context.ts';
import type { EspError } from '../error.ts';
import { type Look, readEsp } from '../inspection/read-esp.ts';
import type { EspView } from '../plan/view.ts';
import type { Settings } from '../settings/settings.ts';
import { expected, findEsps, requireOne } from '../volumes/esp-roots.ts';
import { withFatNames } from '../volumes/fat-names.ts';
import { openTarget } from '../volumes/volumes.ts';

/** An ESP of the settings with its view, or why there is none. */
export type ReadEsp =
  | { readonly root: string; readonly view: EspView; readonly failure?: undefined }
  | { readonly root: string; readonly failure: EspError };

/** Reads the ESPs, the primary first. Throws the primary's failure when none can be read. */
export async function readEsps(
  settings: Settings,
  look: Look,
  context: Context,
): Promise<readonly ReadEsp[]> {
  const read: ReadEsp[] = [];
  for (const { root, failure } of findEsps(settings, context, 'read')) {
    read.push(failure ? { root, failure } : await readOne(root, look, context));
  }
  requireOne(read);
  return read;
}

async function readOne(root: string, look: Look, context: Context): Promise<ReadEsp> {
  try {
    const target = withFatNames(openTarget(root, look.settings, context, 'read'));
    return { root, view: await readEsp(target, look, context) };
  } catch (error) {
    return { root, failure: expected(error) };
  }
}
