/** A system in memory with one FAT or two, as the verbs see it: its settings and its context. */
import type { Context } from '../../src/context.ts';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { EspError } from '../../src/error.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import type { RawSettings } from '../../src/settings/configuration-file.ts';
import { readSettings, type Settings } from '../../src/settings/settings.ts';
import { faultyDisk } from '../support/faulty-disk.ts';
import { MemoryDisk, type MemoryDiskOptions } from '../support/memory-disk.ts';

/** One line of a mount table: a FAT, unless told otherwise. */
export function mounted(point: string, device: string, { type = 'vfat', options = 'rw' } = {}) {
  return `36 35 ${device} / ${point} ${options} - ${type} /dev/sda1 ${options}\n`;
}

/** What differs from a system with an ESP at /efi and another FAT at /boot, both of them mounted. */
export interface SystemShape extends MemoryDiskOptions {
  readonly mounts?: string;
  readonly settings?: RawSettings;
  /** What the disk does differently. */
  readonly disk?: (disk: MemoryDisk) => Partial<WritableDisk>;
}

export const ESP = '/efi';
export const BOOT = '/boot';
const MOUNTS = mounted(ESP, '8:1') + mounted(BOOT, '8:2');

/** Returns a system, the disk behind it, and its settings. */
export async function aSystem(
  shape: SystemShape = {},
): Promise<{ disk: MemoryDisk; context: Context; settings: Settings }> {
  const { mounts = MOUNTS, settings: flags = {}, disk: change, files, ...options } = shape;
  const disk = new MemoryDisk({
    mount: ESP,
    second: BOOT,
    ...options,
    files: { '/proc/self/mountinfo': mounts, ...files },
  });
  const sound = faultyDisk(disk, Number.POSITIVE_INFINITY, new Error('never'));
  const seen = change ? { ...sound, ...change(disk) } : disk;
  const context: Context = {
    disk: seen,
    host: seen,
    machine: nodeMachine(new URL('file:///nowhere')),
    environment: {},
    uid: 1,
    processId: 7,
    now: 0,
    runSecrets: () => Promise.reject(new EspError('INITRD_SECRETS_FAILED', 'there are none')),
    print: () => undefined,
  };
  return { disk, context, settings: await readSettings({ esp: [ESP], ...flags }, {}, disk) };
}
