/** Our boot loaders on the ESPs of the settings, as firmware has to name them. */
import type { Context } from '../context.ts';
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';
import { espPath, LOADER_DIRECTORIES } from '../esp/layout.ts';
import { parseGuid } from '../guid.ts';
import { hostArchitecture } from '../loader/architecture.ts';
import type { PartitionPlace } from '../loader/boot-option.ts';
import type { Settings } from '../settings/settings.ts';
import { type Esp, findEsps } from '../volumes/esp-roots.ts';
import type { Partition } from '../volumes/partition.ts';
import type { Startable } from './boot-entries.ts';

/** What bootctl calls the loader and the one before it, which bootctl keeps. */
const TITLE = 'Linux Boot Manager';

/**
 * Returns the loaders that firmware should start: on each ESP ours, and behind it the one that bootctl keeps
 * of an earlier version, where there is one.
 * @param title what firmware’s menu shows
 * @throws {FIRMWARE_ABSENT} when nobody tells which partition an ESP is, or no loader is on it
 */
export function ownLoaders(
  settings: Settings,
  context: Context,
  title: string = TITLE,
): readonly Startable[] {
  const { disk } = context;
  const { efi, loader } = hostArchitecture(settings.system);
  return findEsps(settings, context, 'read').flatMap((esp, index) => {
    if (esp.failure) throw esp.failure;
    const partition = placeOf(esp, context);
    const name = index === 0 ? title : `${title}, mirror ${index}`;
    const all = [
      { title: name, file: espPath(LOADER_DIRECTORIES.systemd, loader) },
      {
        title: `Fallback ${name}`,
        file: espPath(LOADER_DIRECTORIES.systemd, `systemd-boot-fallback${efi}.efi`),
      },
    ];
    const there = all.filter(({ file }) => disk.stat(`${esp.root}/${file}`)?.kind === 'file');
    if (there.length === 0) throw lacksLoader(esp.root, loader);
    return there.map((each) => ({ title: each.title, partition, path: firmwareForm(each.file) }));
  });
}

/** Returns a path of an ESP as firmware writes it. */
function firmwareForm(path: string): string {
  return `\\${path.replaceAll('/', '\\')}`;
}

function lacksLoader(root: string, loader: string): EspError {
  return new EspError(
    'FIRMWARE_ABSENT',
    `${root}: there is no EFI/systemd/${loader} for firmware to start`,
    {
      hint: 'espalier install puts it there',
    },
  );
}

/** In bytes. */
const SECTOR = 512;

function placeOf({ root, partition }: Esp, { host }: Context): PartitionPlace {
  const { number, offset, size, uuid, scheme } = partition ?? {};
  const guid = parseGuid(uuid ?? '');
  if (guid === undefined || !number || !offset || !size || scheme !== 'gpt') {
    throw new EspError('FIRMWARE_ABSENT', `${root}: nobody tells which partition of a GPT it is`, {
      hint: 'udev tells it; a directory that stands in for an ESP is none',
    });
  }
  const perBlock = blockSize(partition, host) / SECTOR;
  return {
    number: Number(number),
    first: Number(offset) / perBlock,
    sectors: Number(size) / perBlock,
    uuid: guid,
  };
}

/** udev counts sectors of 512 bytes, and firmware the blocks of the disk. */
function blockSize(partition: Partition | undefined, host: Disk): number {
  const path = `/sys/dev/block/${partition?.disk}/queue/logical_block_size`;
  try {
    const size = Number(new TextDecoder().decode(host.read(path, 64)));
    return size % SECTOR === 0 && size > 0 ? size : SECTOR;
  } catch (error) {
    if (error instanceof EspError) return SECTOR;
    throw error;
  }
}
