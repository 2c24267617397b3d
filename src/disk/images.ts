/** Disk images that a run works on: opened by name, each as a disk in which the ESP is shown. */
import { EspError } from '../error.ts';
import { firmwareComplaint } from '../fat/geometry.ts';
import type { Environment, Machine, RawFile } from '../process/machine.ts';
import type { ImageEsp, ImageEsps, WritableDisk } from './disk.ts';
import { fatDisk } from './fat-disk.ts';
import { findPart } from './image-part.ts';
import { type ImagePlace, imagePlace } from './image-place.ts';
import { mountedDisk } from './mounted-disk.ts';
import { windowOf } from './window.ts';

/** What images are opened with. */
export interface Surroundings {
  readonly disk: WritableDisk;
  readonly host: WritableDisk;
  readonly machine: Pick<Machine, 'openRaw'>;
  readonly environment: Environment;
}

/** The images of a run. Disposing of them closes their files. */
export class Images implements ImageEsps, Disposable {
  readonly #around: Surroundings;
  readonly #files = new Map<string, RawFile>();

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Returns the file of the image that a path names, if it has a whole partition table. */
  tableAt(path: string): string | undefined {
    const place = imagePlace(path, this.#around.disk);
    if (place === undefined) return undefined;
    try {
      return findPart(this.#file(place, 'read'), place).partition && place.file;
    } catch (error) {
      // Whoever opens the ESP tells what is wrong.
      if (error instanceof EspError) return undefined;
      throw error;
    }
  }

  open(path: string, access: 'read' | 'write'): ImageEsp {
    const { disk, environment } = this.#around;
    const named = imagePlace(path, disk);
    if (named === undefined)
      throw new EspError('CONFIG_INVALID', `${path}: expected a disk image, got another path`);
    const place = { ...named, file: disk.realPath(named.file) ?? named.file };
    if (access === 'write') requireIdle(place.file, this.#around);
    const file = this.#file(place, access);
    const { offset, size, name, partition, sectorSize } = findPart(file, place);
    const fat = fatDisk({
      region: windowOf(file, offset, size),
      ...{ root: name, access, epoch: epochOf(environment), durable: true },
      file: () => disk.stat(place.file) ?? GONE,
    });
    const shown = mountedDisk(disk, name, fat.disk);
    const complaint = firmwareComplaint(fat.geometry);
    const { device, inode } = disk.stat(place.file) ?? GONE;
    const identity = `${device}:${inode}@${offset}`;
    return {
      root: name,
      identity,
      disk: shown,
      renew: fat.renew,
      partition,
      sectorSize,
      complaint,
    };
  }

  [Symbol.dispose](): void {
    for (const file of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }

  #file({ file }: ImagePlace, access: 'read' | 'write'): RawFile {
    const key = `${access} ${file}`;
    const hostPath = this.#around.disk.hostPath(file);
    if (hostPath === undefined)
      throw new EspError(
        'CONFIG_INVALID',
        `${file}: expected a file of this machine, got one inside a disk image`,
      );
    const opened = this.#files.get(key) ?? this.#around.machine.openRaw(hostPath, access);
    this.#files.set(key, opened);
    return opened;
  }
}

/** What is told of an image that was removed meanwhile: another than it was. */
const GONE = { device: 0, inode: 0, uid: 0, mode: 0 };

const BLOCK_DEVICES = '/sys/block';
const PATH_LIMIT = 4096;

/** What is mounted from a loop device keeps its own memory of the file, and writes it over ours. */
function requireIdle(file: string, { disk, host }: Surroundings): void {
  const image = disk.stat(file);
  for (const { name } of host.list(BLOCK_DEVICES) ?? []) {
    const note = `${BLOCK_DEVICES}/${name}/loop/backing_file`;
    if (!name.startsWith('loop') || host.stat(note) === undefined) continue;
    const backing = new TextDecoder().decode(host.read(note, PATH_LIMIT)).replace(/\n$/, '');
    const behind = host.stat(backing);
    const isSame = behind?.device === image?.device && behind?.inode === image?.inode;
    if (behind === undefined || !isSame) continue;
    throw new EspError('IMAGE_BUSY', `${file}: it is attached to /dev/${name}`, {
      hint: `unmount what is mounted from it, then: losetup --detach /dev/${name}`,
    });
  }
}

/** Equal runs give equal bytes: the time of day is in none of them. */
function epochOf(environment: Environment): number {
  const given = environment['SOURCE_DATE_EPOCH'];
  if (given === undefined || given === '') return 0;
  if (/^\d{1,11}$/.test(given)) return Number(given);
  throw new EspError(
    'CONFIG_INVALID',
    `SOURCE_DATE_EPOCH: expected seconds since 1970, got ${JSON.stringify(given)}`,
    { hint: 'correct or unset it' },
  );
}
