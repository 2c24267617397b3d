/** `status`: what runs, what boots next and whether that is what the profile says, the loader, the space. */
import { EspError, EXIT_WARNINGS } from '../error.ts';
import { espPath } from '../esp/layout.ts';
import { allocated } from '../esp/space.ts';
import { architecture } from '../loader/architecture.ts';
import { loaderIdentity } from '../loader/systemd-boot.ts';
import type { Context } from './context.ts';
import { espRoots } from './esp-roots.ts';
import { type Menu, readMenu } from './menu.ts';
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
  readonly loaders: readonly { readonly path: string; readonly is: string }[];
  readonly entries: number;
  readonly damaged: number;
  readonly space: { readonly total: number; readonly free: number; readonly ours: number };
}

/** Shows the status of every ESP; the exit status tells drift from its absence. */
export async function status({ flags, json }: Invocation, context: Context): Promise<number> {
  const { disk, environment, print } = context;
  const settings = await readSettings(flags, environment, disk);
  const booted = disk.realPath(settings.booted);
  const current = currentSystem(settings, context);
  const esps = espRoots(settings, context).map((root) =>
    describe(root, readMenu(disk, root, settings), current, settings, context),
  );
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

function describe(
  root: string,
  { inventory, entries }: Menu,
  current: string | undefined,
  settings: Settings,
  { disk }: Context,
): EspStatus {
  const next = entries.find((entry) => entry.default);
  const file = inventory.entries.find(({ id }) => id === next?.id);
  const own = [...inventory.blobs, ...inventory.entries.filter(({ name }) => name !== undefined)];
  return {
    esp: root,
    bootsNext: next?.id,
    upToDate:
      current === undefined ? undefined : ` ${file?.cmdline ?? ''} `.includes(` init=${current}/`),
    loaders: loaderFiles(settings).map((path) => ({ path, is: identify(`${root}/${path}`, disk) })),
    entries: entries.length,
    damaged: entries.filter(({ damage }) => damage !== undefined).length,
    space: {
      total: inventory.total,
      free: inventory.free,
      ours: own.reduce((sum, { size }) => sum + allocated(size, inventory.clusterSize), 0),
    },
  };
}

/** Nix’s name for the architectures that Node runs on. */
const SYSTEMS: Readonly<Record<string, string>> = {
  x64: 'x86_64-linux',
  ia32: 'i686-linux',
  arm64: 'aarch64-linux',
  arm: 'armv7l-linux',
  riscv64: 'riscv64-linux',
  loong64: 'loongarch64-linux',
};

function loaderFiles(settings: Settings) {
  const { loader, fallback } = architecture(settings.system ?? SYSTEMS[process.arch] ?? '');
  return [espPath('EFI', 'systemd', loader), espPath('EFI', 'BOOT', fallback)];
}

function identify(path: string, disk: Context['disk']): string {
  if (disk.stat(path)?.kind !== 'file') return 'absent';
  const file = disk.open(path);
  try {
    const identity = loaderIdentity(file);
    return identity.kind === 'systemd-boot' ? `systemd-boot ${identity.version}` : identity.kind;
  } finally {
    file.close();
  }
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
