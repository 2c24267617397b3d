/** Our boot loaders on the ESPs of the settings, as firmware has to name them. */
import type { Context } from '../context.ts';
import { EspError } from '../error.ts';
import { type EspPath, loaderPlaces } from '../esp/layout.ts';
import { parseGuid } from '../guid.ts';
import { hostArchitecture } from '../loader/architecture.ts';
import type { PartitionPlace } from '../loader/boot-option.ts';
import type { Settings } from '../settings/settings.ts';
import { type Esp, findEsps } from '../volumes/esp-roots.ts';
import { sectorSizeOf } from '../volumes/partition.ts';
import type { Startable } from './boot-entries.ts';

/** What bootctl calls the loader; the one before it is called a fallback. */
const TITLE = 'Linux Boot Manager';

/**
 * Returns the loaders that firmware should start: on each ESP ours, and behind it the previous one, where there
 * is one.
 * @param title what firmware’s menu shows
 * @throws {FIRMWARE_ABSENT} when nobody tells which partition an ESP is, or no loader is on it
 */
export function ownLoaders(
  settings: Settings,
  context: Context,
  title: string = TITLE,
): readonly Startable[] {
  const { disk } = context;
  const places = ownPlaces(settings, context, title);
  return [...Map.groupBy(places, ({ root }) => root)].flatMap(([root, loaders]) => {
    const there = loaders.filter(({ file }) => disk.stat(`${root}/${file}`)?.kind === 'file');
    if (there.length === 0) throw lacksLoader(root, loaders[0]?.file ?? '');
    return there.map((each, index) => ({ ...each, isFallback: index > 0 }));
  });
}

/** Where one of our loaders is, or may have been. */
interface OwnPlace extends Omit<Startable, 'isFallback'> {
  /** Mount point of the ESP. */
  readonly root: string;
  readonly file: EspPath;
}

/** Returns where our loaders lie, be they there or not. Throws as {@link ownLoaders} does. */
export function ownPlaces(
  settings: Settings,
  context: Context,
  title: string = TITLE,
): readonly OwnPlace[] {
  const { systemd, previous } = loaderPlaces(hostArchitecture(settings.system));
  return findEsps(settings, context, 'read').flatMap((esp, index) => {
    if (esp.failure) throw esp.failure;
    const { root } = esp;
    const partition = placeOf(esp, context);
    const name = index === 0 ? title : `${title}, mirror ${index}`;
    return [
      { root, title: name, partition, file: systemd, path: firmwareForm(systemd) },
      { root, title: `Fallback ${name}`, partition, file: previous, path: firmwareForm(previous) },
    ];
  });
}

/** Returns a path of an ESP as firmware writes it. */
function firmwareForm(path: string): string {
  return `\\${path.replaceAll('/', '\\')}`;
}

function lacksLoader(root: string, loader: string): EspError {
  return new EspError('FIRMWARE_ABSENT', `${root}: there is no ${loader} for firmware to start`, {
    hint: 'espalier install puts it there',
  });
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
  // udev counts sectors of 512 bytes, and firmware those of the disk.
  const perBlock = (sectorSizeOf(partition, host) ?? SECTOR) / SECTOR;
  return {
    number: Number(number),
    first: Number(offset) / perBlock,
    sectors: Number(size) / perBlock,
    uuid: guid,
  };
}
