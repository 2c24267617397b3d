/** What the ESP of an image holds, as `list` shows it, and whether what would boot fits the image. */
import type { Context } from '../context.ts';
import { EspError, explain } from '../error.ts';
import { lookAlone } from '../inspection/read-esp.ts';
import { readEsps } from '../pass/read-esps.ts';
import { type MenuEntry, menuOf } from '../plan/menu.ts';
import type { EspView } from '../plan/view.ts';
import { checkSettings } from '../settings/settings.ts';
import { devicesOnCmdline } from '../verity/cmdline.ts';
import { groundFor } from '../volumes/image-targets.ts';

/** An ESP. */
export interface InspectedEsp {
  /** The number of its partition; undefined where the image is one file system. */
  readonly partition: number | undefined;
  readonly entries: readonly MenuEntry[];
  /** Which entry boots when nobody chooses. */
  readonly boots: string | undefined;
  /** The copies of boot loaders that are there: path, and product and version where it tells them. */
  readonly loaders: readonly { readonly path: string; readonly product: string | undefined }[];
  /** Why the ESP cannot be read, or what in it would not boot. */
  readonly problems: readonly string[];
}

/**
 * Looks into an ESP.
 * @param xbootldr the number of the partition with more boot entries
 * @param rootHashes those of the image, in hexadecimal
 */
export async function inspectEsp(
  image: string,
  partition: number | undefined,
  xbootldr: number | undefined,
  rootHashes: readonly string[],
  context: Context,
): Promise<InspectedEsp> {
  const esp = partition === undefined ? image : `${image}#${partition}`;
  const none = { partition, entries: [], boots: undefined, loaders: [] };
  try {
    // Nothing of this machine, its configuration and its environment says what an image is.
    const more = xbootldr === undefined ? {} : { xbootldr: `${image}#${xbootldr}` };
    const settings = checkSettings({ esp: [esp], ...more }, 'image', context.disk);
    using ground = await groundFor(settings, context);
    const look = await lookAlone(ground.settings, ground.context);
    const [read] = await readEsps(ground.settings, look, ground.context);
    if (read === undefined) return { ...none, problems: ['nothing was read'] };
    if (read.failure) return { ...none, problems: [explain(read.failure)] };
    return { partition, ...described(read.view, rootHashes) };
  } catch (error) {
    if (!(error instanceof EspError)) throw error;
    return { ...none, problems: [explain(error)] };
  }
}

function described(view: EspView, rootHashes: readonly string[]): Omit<InspectedEsp, 'partition'> {
  const entries = menuOf(view, { booted: undefined, pinned: [] });
  const first = entries.find((entry) => entry.default);
  const cmdline = view.inventory.entries.find(({ path }) => path === first?.path)?.cmdline ?? '';
  const loaders = view.loaders.flatMap(({ path, installed }) =>
    installed.kind === 'absent' || installed.kind === 'directory'
      ? []
      : [
          {
            path,
            product:
              installed.kind === 'systemd-boot' ? `systemd-boot ${installed.version}` : undefined,
          },
        ],
  );
  return {
    ...{ entries, loaders, boots: first?.id },
    problems: [
      ...entries.flatMap(({ id, damage }) => (damage === undefined ? [] : [`${id}: ${damage}`])),
      ...strangers(cmdline, rootHashes).map(
        (hash) => `${first?.id} wants a file system that is not in this image: root hash ${hash}`,
      ),
    ],
  };
}

/** Returns the root hashes that a command line names and the image does not have. */
function strangers(cmdline: string, rootHashes: readonly string[]): readonly string[] {
  return devicesOnCmdline(cmdline)
    .filter(({ hashOffset }) => hashOffset === undefined)
    .map(({ rootHash }) => rootHash)
    .filter((rootHash) => !rootHashes.includes(rootHash));
}
