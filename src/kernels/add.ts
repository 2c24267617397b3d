/** Keeps an installed kernel as a generation: its files, its command line, its place in the menu. */
import { type Context, isElsewhere } from '../context.ts';
import { trustCheck } from '../esp/untrusted-source.ts';
import { machineId } from '../generation/entry-token.ts';
import type { Link } from '../generation/generation.ts';
import { realPlaces } from '../generation/installed-kernels.ts';
import { hostArchitecture, systemOf } from '../loader/architecture.ts';
import type { Settings } from '../settings/settings.ts';
import { kernelTraits, requireStarts } from '../uki/kernel.ts';
import { parseOsRelease } from '../uki/os-release.ts';
import { findDevicetree } from './devicetree.ts';
import { type InstalledFiles, initrdPlaces } from './installed.ts';
import { keepGeneration } from './kept.ts';
import { type KernelCmdline, kernelCmdline } from './kernel-cmdline.ts';
import { type KernelStore, keepFile, keepSystem, type SystemParts } from './store.ts';

/** What is the same for every kernel of a machine. */
export interface Keeping {
  readonly store: KernelStore;
  readonly context: Context;
  readonly cmdline: KernelCmdline;
  /** The name and the sort key of the system, from its os-release. */
  readonly label: string;
  readonly sortKey: string;
  /** Whether the kernels here boot without an initrd. */
  readonly takesNoInitrd: boolean;
}

const OS_RELEASE = ['/etc/os-release', '/usr/lib/os-release'];
/** In bytes. */
const OS_RELEASE_LIMIT = 64 * 1024;

/**
 * Reads what is the same for every kernel of a machine.
 * @throws {CONFIG_INVALID} when there is no command line
 * @throws {SOURCE_UNTRUSTED} when it lies on a FAT file system
 */
export function openKeeping(settings: Settings, context: Context, takesNoInitrd: boolean): Keeping {
  const { disk } = context;
  const file = OS_RELEASE.find((path) => disk.stat(path)?.kind === 'file');
  const text =
    file === undefined ? '' : new TextDecoder().decode(disk.read(file, OS_RELEASE_LIMIT));
  const fields = new Map(parseOsRelease(text));
  const cmdline = kernelCmdline(context);
  // Both go into images that a key may vouch for.
  const requireTrusted = trustCheck([], disk);
  for (const path of [file, cmdline.file]) if (path !== undefined) requireTrusted(path);
  const id = machineId(disk);
  const parameters =
    id === settings['entry-token']
      ? [...cmdline.parameters, `systemd.machine_id=${id}`]
      : cmdline.parameters;
  return {
    store: { disk, places: realPlaces(settings['state-dir'], disk) },
    context,
    cmdline: { ...cmdline, parameters },
    label: fields.get('PRETTY_NAME') ?? 'Linux',
    sortKey: fields.get('IMAGE_ID') ?? fields.get('ID') ?? 'linux',
    takesNoInitrd,
  };
}

/** A kernel that was added, or was there as it is. */
export interface Added {
  readonly link: Link;
  readonly isNew: boolean;
  /** What a person should know of it. */
  readonly warnings: readonly string[];
}

/**
 * Keeps a kernel. Without its initrd or its modules it becomes a generation that cannot be installed.
 * @throws {PE_MALFORMED} when firmware cannot start it
 * @throws {GENERATION_BROKEN} when firmware would not start it
 * @throws {SOURCE_UNTRUSTED} when one of its files lies on a FAT file system
 */
export async function addKernel(files: InstalledFiles, keeping: Keeping): Promise<Added> {
  const { store, context } = keeping;
  const parts = await partsOf(files, keeping);
  const toplevel = await keepSystem(store, parts);
  const kept = keepGeneration(store, { toplevel, release: files.release }, context.now);
  return { ...kept, warnings: troublesOf(files, keeping) };
}

async function partsOf(files: InstalledFiles, keeping: Keeping): Promise<SystemParts> {
  const { store, context, cmdline, label, sortKey } = keeping;
  const { disk } = context;
  const { release, image, initrds, modules } = files;
  const devicetree = findDevicetree(release, disk);
  const requireTrusted = trustCheck([], disk);
  for (const path of [image, ...initrds, ...(devicetree ? [devicetree] : [])]) requireTrusted(path);
  const system = systemOfKernel(image, context);
  const initrd =
    initrds.length > 0 ? await keepFile(store, 'initrd', initrds) : absentInitrd(files, keeping);
  return {
    release,
    system,
    kernel: await keepFile(store, 'linux', [image]),
    ...(initrd === undefined ? {} : { initrd }),
    ...(devicetree ? { devicetree: await keepFile(store, 'devicetree', [devicetree]) } : {}),
    modules,
    parameters: cmdline.parameters,
    label,
    sortKey,
  };
}

/** A file that is never there stands for a missing initrd: that makes the generation a broken one. */
function absentInitrd({ release }: InstalledFiles, keeping: Keeping): string | undefined {
  const { store, takesNoInitrd } = keeping;
  return takesNoInitrd ? undefined : `${store.places.files}/initrd-of-${release}`;
}

/** The kernel tells what it is for; on its own machine it has to be for that. */
function systemOfKernel(image: string, context: Context): string {
  using source = context.disk.open(image);
  const kernel = kernelTraits(source, image);
  const system = systemOf(kernel.machine);
  const isForHost = system === undefined || !isElsewhere(context);
  requireStarts(kernel, isForHost ? hostArchitecture().machine : kernel.machine, image);
  return system ?? '';
}

function troublesOf({ release, initrds, modules }: InstalledFiles, keeping: Keeping): string[] {
  const { disk } = keeping.context;
  const lacksInitrd = initrds.length === 0 && !keeping.takesNoInitrd;
  const lacksModules = disk.stat(modules)?.kind !== 'directory';
  return [
    ...(lacksInitrd
      ? [
          `Linux ${release} has no initrd (looked at ${initrdPlaces(release, disk).join(', ')}): it is not installed before it has one; --without-initrd says that it needs none`,
        ]
      : []),
    ...(lacksModules ? [`Linux ${release} has no modules in ${modules}: it is not installed`] : []),
  ];
}
