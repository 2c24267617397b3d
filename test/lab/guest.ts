/** A machine with the kernel's own vfat and Node in it, for what only a mounted ESP can show. Needs qemu-system-x86. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCpio, type Member, memberFrom, memberOf } from './cpio.ts';
import { commandMembers, findAllRan, type GuestRan, runCommands } from './guest-commands.ts';
import { moduleMember, shellMember } from './initrd.ts';
import type { Parts } from './parts.ts';
import { drive, emulated, runMachine } from './qemu.ts';
import { run } from './run.ts';

export interface GuestOptions {
  readonly parts: Parts;
  /** A FAT image: `/dev/vda` in the guest, mounted as vfat on `/boot`. The guest writes to it. */
  readonly image: string;
  /** More images: `/dev/vdb` and so on in the guest, not mounted. */
  readonly more?: readonly string[];
  /** A file that gets every write to `image` in the format of dm-log-writes. */
  readonly log?: string;
  /** Files to put into the guest, beside a shell and Node. */
  readonly members: readonly Member[];
  /** Shell commands, run one after another whatever their status. `node` is the Node of this process. */
  readonly commands: readonly string[];
  /** Seconds until the machine is switched off, whatever it does. */
  readonly limit?: number;
}

/** In the order in which they have to be loaded. */
const modules = [
  'drivers/virtio/virtio.ko',
  'drivers/virtio/virtio_ring.ko',
  'drivers/virtio/virtio_pci_legacy_dev.ko',
  'drivers/virtio/virtio_pci_modern_dev.ko',
  'drivers/virtio/virtio_pci.ko',
  'drivers/block/virtio_blk.ko',
  'fs/nls/nls_cp437.ko',
  'fs/nls/nls_ascii.ko',
  'fs/nls/nls_utf8.ko',
  'fs/nls/nls_iso8859-1.ko',
  'fs/fat/fat.ko',
  'fs/fat/vfat.ko',
];

const guestInit = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mkdir -p /proc /sys /dev /tmp /boot /run
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module || echo "$module was not loaded"; done
mount -t vfat -o umask=0077 /dev/vda /boot || echo "/boot was not mounted"
cd /tmp
${runCommands}
umount /boot
poweroff -f
`;

/**
 * Starts the kernel directly with an initrd of the given files, runs the commands and returns what
 * each did.
 * @throws {Error} with the end of the console when the machine did not come to the last command
 */
export async function runInGuest(options: GuestOptions): Promise<readonly GuestRan[]> {
  const { parts, image, more = [], log, members, commands, limit = 300 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'espalier-guest-'));
  try {
    const initrd = join(folder, 'initrd');
    const base = [shellMember(parts), ...nodeMembers(), ...moduleMembers(parts)];
    const init = memberOf('init', guestInit, 0o755);
    writeFileSync(initrd, formatCpio([...base, ...members, ...commandMembers(commands), init]));
    const kernel = ['-kernel', parts.kernel, '-initrd', initrd];
    const cmdline = ['console=ttyS0 quiet loglevel=1 panic=1', ...emulated].join(' ');
    const args = ['-machine', 'q35', '-no-reboot', ...kernel, '-append', cmdline];
    const first = log === undefined ? plainDisk(image) : loggedDisk(image, log);
    const disks = [...first, ...more.flatMap(plainDisk)];
    const { text } = await runMachine([...args, ...disks], { limit, memory: 1536 });
    return findAllRan(text, commands);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Returns the arguments for a disk. Disks are named in the guest in the order of their devices. */
function plainDisk(image: string, index = -1): readonly string[] {
  const id = `disk${index + 1}`;
  return [...drive(image, `format=raw,if=none,id=${id}`), '-device', `virtio-blk-pci,drive=${id}`];
}

/** Returns the arguments for a disk whose writes are logged, in order and with what they write. */
function loggedDisk(image: string, log: string): readonly string[] {
  writeFileSync(log, '');
  const nodes = [
    { driver: 'file', 'node-name': 'image', filename: image },
    { driver: 'file', 'node-name': 'log', filename: log },
    {
      driver: 'blklogwrites',
      'node-name': 'logged',
      file: 'image',
      log: 'log',
      'log-sector-size': 512,
    },
  ];
  return [
    ...nodes.flatMap((node) => ['-blockdev', JSON.stringify(node)]),
    ...['-device', 'virtio-blk-pci,drive=logged'],
  ];
}

/** Returns the kernel's modules for a FAT file system on a virtio disk, and `modules/order`, their order. */
export function moduleMembers(parts: Parts): readonly Member[] {
  const members = modules.map((path) => moduleMember(parts, path));
  const order = members.map(({ path }) => path.slice(path.indexOf('/') + 1)).join('\n');
  return [...members, memberOf('modules/order', order)];
}

/** Returns the Node of this process and every library that the dynamic linker would load for it. */
function nodeMembers(): readonly Member[] {
  return programMembers('bin/node', realpathSync(process.execPath));
}

/** Returns a program of this machine under a path, and every library that the dynamic linker would load for it. */
export function programMembers(path: string, program: string): readonly Member[] {
  const paths = run('ldd', [program]).matchAll(/(\/\S+) \(0x/g);
  const libraries = [...paths].map(([, found = '']) => memberFrom(found.slice(1), found, 0o755));
  return [memberFrom(path, program, 0o755), ...libraries];
}
