/** `status`: what runs, what boots next and whether that is what the profile says, the loader, the space. */
import { EspError, EXIT_WARNINGS } from '../error.ts';
import { scanInventory } from '../esp/inventory.ts';
import { allocated } from '../esp/space.ts';
import { bootedSystem } from './booted.ts';
import type { Context } from './context.ts';
import { espRoots } from './esp-roots.ts';
import { type LoaderStatus, loaderCopies } from './loader-copies.ts';
import { boots, menuOf } from './menu.ts';
import type { Invocation } from './program.ts';
import { formatSize } from './report.ts';
import { readSettings, type Settings } from './settings.ts';
import { readProfiles } from './survey.ts';

/** How one ESP stands. Sizes in bytes. */
interface EspStatus {
  readonly esp: string;
  readonly bootsNext: string | undefined;
  /** Whether what boots next is the profile's current system; undefined when there is no profile to ask. */
  readonly upToDate: boolean | undefined;
  readonly loaders: readonly LoaderStatus[];
  readonly entries: number;
  readonly damaged: number;
  readonly space: { readonly total: number; readonly free: number; readonly ours: number };
}

/** Shows the status of every ESP; the exit status tells drift from its absence. */
export async function status({ flags, json }: Invocation, context: Context): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings(flags, environment, disk);
  const booted = bootedSystem(disk, settings.booted);
  const current = currentSystem(settings, context);
  const esps: EspStatus[] = [];
  for (const root of espRoots(settings, context)) {
    esps.push(await describe(root, current, settings, context));
  }
  if (json) {
    print(JSON.stringify({ version: 1, verb: 'status', booted, current, esps }, undefined, 2));
  } else {
    print(`running:    ${booted ?? 'unknown'}`);
    print(`profile:    ${current ?? 'none'}`);
    for (const esp of esps) print(render(esp));
  }
  return esps.some(({ upToDate, damaged }) => upToDate === false || damaged > 0)
    ? EXIT_WARNINGS
    : 0;
}

/** The system that the profile leads to; no profile is no error here, as on a rescue system. */
function currentSystem(settings: Settings, context: Context): string | undefined {
  try {
    return readProfiles(settings, context).current[0];
  } catch (error) {
    if (error instanceof EspError && error.code === 'CONFIG_INVALID') return undefined;
    throw error;
  }
}

async function describe(
  root: string,
  current: string | undefined,
  settings: Settings,
  context: Context,
): Promise<EspStatus> {
  const { disk } = context;
  const inventory = scanInventory(disk, root, settings['entry-token']);
  const entries = menuOf(root, inventory, settings, disk);
  const next = entries.find((entry) => entry.default);
  const file = inventory.entries.find(({ id }) => id === next?.id);
  const own = [...inventory.blobs, ...inventory.entries.filter(({ name }) => name !== undefined)];
  return {
    esp: root,
    bootsNext: next?.id,
    upToDate: current === undefined ? undefined : file !== undefined && boots(file, current),
    loaders: await loaderCopies(root, settings, context),
    entries: entries.length,
    damaged: entries.filter(({ damage }) => damage !== undefined).length,
    space: {
      total: inventory.total,
      free: inventory.free,
      ours: own.reduce((sum, { size }) => sum + allocated(size, inventory.clusterSize), 0),
    },
  };
}

const DRIFT = { true: 'as the profile says', false: 'NOT what the profile says' } as const;

function render({ esp, bootsNext, upToDate, loaders, entries, damaged, space }: EspStatus): string {
  const drift = upToDate === undefined ? '' : `  (${DRIFT[`${upToDate}`]})`;
  return [
    `${esp}:`,
    `  boots next: ${bootsNext ?? 'nothing'}${drift}`,
    ...loaders.map(({ path, is }) => `  loader:     ${path}  ${is}`),
    `  entries:    ${entries}${damaged > 0 ? `, ${damaged} damaged` : ''}`,
    `  space:      ${formatSize(space.free)} of ${formatSize(space.total)} free, ${formatSize(space.ours)} ours`,
  ].join('\n');
}
