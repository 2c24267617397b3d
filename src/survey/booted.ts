/** Finds the running system. */
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { parseEntryName } from '../esp/layout.ts';
import { findOrigin } from '../esp/mount.ts';
import { kernelPlaces } from '../generation/installed-kernels.ts';
import { chosenSource } from '../generation/sources.ts';
import { EFI_VARIABLES, loaderVariable } from '../loader/efi-variables.ts';
import type { Environment } from '../process/machine.ts';
import type { Settings } from '../settings/settings.ts';
import { SYSTEM_PARAMETER } from '../uki/cmdline.ts';

/**
 * Returns the real path of the running system, or undefined when it is unknown. systemd follows
 * links when it binds a path, so a confined service sees a mount in place of the link. Then the
 * mount table tells where in the store the system lies.
 */
export function bootedSystem(
  settings: Settings,
  { disk, environment }: Pick<Context, 'disk' | 'environment'>,
): string | undefined {
  const { booted: link } = settings;
  const real = disk.realPath(link);
  if (real === undefined) return namedSystem(disk) ?? selectedSystem(settings, environment, disk);
  return real === link ? (findOrigin(disk, link) ?? real) : real;
}

/** The command line of the running kernel. */
const RUNNING_CMDLINE = '/proc/cmdline';
/** In bytes: more than any kernel takes. */
const CMDLINE_LIMIT = 64 * 1024;

/** Returns the words of the running kernel's command line, or undefined where nothing tells. */
export function runningCmdline(disk: Disk): string | undefined {
  try {
    return new TextDecoder().decode(disk.read(RUNNING_CMDLINE, CMDLINE_LIMIT)).trim();
  } catch (error) {
    if (error instanceof EspError) return undefined;
    throw error;
  }
}

/** An installed kernel has no link that leads to its system: its command line names that. */
function namedSystem(disk: Disk): string | undefined {
  const [, system] =
    new RegExp(`(?:^| )${SYSTEM_PARAMETER}=(/\\S+)`).exec(runningCmdline(disk) ?? '') ?? [];
  return system === undefined ? undefined : (disk.realPath(system) ?? system);
}

/** A confined service sees no command line. The boot loader tells which entry it started. */
function selectedSystem(
  settings: Settings,
  environment: Environment,
  disk: Disk,
): string | undefined {
  if (chosenSource(settings, disk) !== 'kernels') return undefined;
  const directory = environment['ESPALIER_EFIVARS'] ?? EFI_VARIABLES;
  const selected = loaderVariable(disk, directory, 'LoaderEntrySelected') ?? '';
  const { generation } = parseEntryName(settings['entry-token'], selected) ?? {};
  if (generation === undefined) return undefined;
  return disk.realPath(`${kernelPlaces(settings['state-dir']).links}/system-${generation}-link`);
}
