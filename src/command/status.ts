/** `status`: what runs, what boots next and whether that is what the profile says, the loader, the space. */
import { EspError, EXIT_WARNINGS } from '../error.ts';
import { scanInventory } from '../esp/inventory.ts';
import { allocated } from '../esp/space.ts';
import { bootedSystem } from './booted.ts';
import type { Context } from './context.ts';
import { espRoots } from './esp-roots.ts';
import { type LoaderStatus, loaderCopies } from './loader-copies.ts';
import { boots, isBad, menuOf } from './menu.ts';
import type { Invocation } from './program.ts';
import { formatSize } from './report.ts';
import { readSettings, type Settings } from './settings.ts';
import { readProfiles } from './survey/survey.ts';
import { printable } from './table.ts';

/** How one ESP stands. Sizes in bytes. */
export interface EspStatus {
  readonly esp: string;
  readonly bootsNext: string | undefined;
  /** Whether what boots next is the profile's current system; undefined when there is no profile to ask. */
  readonly nextIsCurrent: boolean | undefined;
  /** Whether what boots next is what runs; undefined when nobody knows what runs. */
  readonly nextIsBooted: boolean | undefined;
  readonly loaders: readonly LoaderStatus[];
  readonly entries: number;
  readonly damaged: number;
  /** Entries that were tried as often as they might be, and did not come up. */
  readonly bad: number;
  /** Whether what boots next is one of them. */
  readonly nextIsBad: boolean;
  readonly space: {
    readonly total: number;
    readonly free: number;
    readonly ours: number;
    /** How many more entries fit that are as large as the largest and share nothing. */
    readonly roomFor: number;
  };
}

/** How a machine stands. */
export interface Status {
  /** Real path of the running system. */
  readonly booted: string | undefined;
  /** Real path of the system that the profile leads to. */
  readonly current: string | undefined;
  readonly bootedIsCurrent: boolean | undefined;
  readonly esps: readonly EspStatus[];
}

/** Shows the status of every ESP; the exit status tells drift from its absence. */
export async function status({ flags, json }: Invocation, context: Context): Promise<number> {
  const { disk, environment, print } = context;
  const { format, ...others } = flags;
  if (format !== undefined && format !== 'prometheus') {
    throw new EspError('CONFIG_INVALID', `--format: expected prometheus, got ${format}`, {
      hint: 'for a document use --json',
    });
  }
  const settings = await readSettings(others, environment, disk);
  const booted = bootedSystem(disk, settings.booted);
  const current = currentSystem(settings, context);
  const esps: EspStatus[] = [];
  for (const root of espRoots(settings, context, 'read')) {
    esps.push(await describe(root, { current, booted }, settings, context));
  }
  const found: Status = {
    booted,
    current,
    bootedIsCurrent: booted && current ? booted === current : undefined,
    esps,
  };
  if (format === 'prometheus') print((await import('./metrics.ts')).formatMetrics(found));
  else if (json) print(JSON.stringify({ version: 1, verb: 'status', ...found }, undefined, 2));
  else print(render(found));
  const needsLook = ({ nextIsCurrent, nextIsBad, damaged }: EspStatus) =>
    nextIsCurrent === false || nextIsBad || damaged > 0;
  return esps.some(needsLook) ? EXIT_WARNINGS : 0;
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
  { current, booted }: Pick<Status, 'current' | 'booted'>,
  settings: Settings,
  context: Context,
): Promise<EspStatus> {
  const { disk } = context;
  const inventory = scanInventory(disk, root, settings['entry-token']);
  const entries = menuOf(root, inventory, settings, disk);
  const next = entries.find((entry) => entry.default);
  const file = inventory.entries.find(({ id }) => id === next?.id);
  const isFor = (system: string) => file !== undefined && boots(file, system);
  const largest = Math.max(inventory.clusterSize, ...entries.map(({ size }) => size));
  const own = [...inventory.blobs, ...inventory.entries.filter(({ name }) => name !== undefined)];
  return {
    esp: root,
    bootsNext: next?.id,
    nextIsCurrent: current === undefined ? undefined : isFor(current),
    nextIsBooted: booted === undefined ? undefined : isFor(booted),
    loaders: await loaderCopies(root, settings, context),
    entries: entries.length,
    damaged: entries.filter(({ damage }) => damage !== undefined).length,
    bad: entries.filter(isBad).length,
    nextIsBad: next !== undefined && isBad(next),
    space: {
      total: inventory.total,
      free: inventory.free,
      ours: own.reduce((sum, { size }) => sum + allocated(size, inventory.clusterSize), 0),
      roomFor: Math.max(0, Math.floor((inventory.free - settings.reserve) / largest)),
    },
  };
}

function render({ booted, current, bootedIsCurrent, esps }: Status): string {
  const restart = bootedIsCurrent === false ? '  (not what runs: restart to run it)' : '';
  return [
    `running:    ${booted ?? 'unknown'}`,
    `profile:    ${current ?? 'none'}${restart}`,
    ...esps.map(renderEsp),
  ].join('\n');
}

function renderEsp(status: EspStatus): string {
  const { esp, bootsNext, nextIsCurrent, loaders, entries, damaged, bad, space } = status;
  const drift = nextIsCurrent ? '  (as the profile says)' : '  (NOT what the profile says)';
  return [
    `${esp}:`,
    `  boots next: ${printable(bootsNext ?? 'nothing')}${nextIsCurrent === undefined ? '' : drift}${status.nextIsBad ? '  (BAD: no tries left)' : ''}`,
    ...loaders.map(({ path, is }) => `  loader:     ${path}  ${is}`),
    `  entries:    ${entries}${damaged > 0 ? `, ${damaged} damaged` : ''}${bad > 0 ? `, ${bad} bad` : ''}`,
    `  space:      ${formatSize(space.free)} of ${formatSize(space.total)} free, ${formatSize(space.ours)} ours, room for about ${space.roomFor} more entries`,
  ].join('\n');
}
