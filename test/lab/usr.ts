/** A /usr whose init tells, on the console, what this /usr is. */
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Parts } from './parts.ts';
import { emulated } from './qemu.ts';
import { run } from './run.ts';

/** What every block of the file `share/marker` begins with. */
export const marker = 'this is the /usr that the root hash is of';

/** And every block of `share/fragile`, which a test may damage. */
export const fragile = 'this may be damaged, and the rest stays whole';

const mark = 'ESPALIER-USR';
const block = 4096;

/** The first process once the initrd has gone: from then on there is nothing but this /usr and a tmpfs. */
const init = `#!/usr/bin/busybox sh
busybox=/usr/bin/busybox
{
  echo
  echo "${mark} mount $($busybox grep '^/dev/mapper/' /proc/self/mounts)"
  for device in /sys/block/dm-*/dm; do
    echo "${mark} device $($busybox cat $device/name $device/uuid | $busybox tr '\\n' ' ')"
  done
  for file in marker fragile; do
    echo "${mark} $file $($busybox cat /usr/share/$file | $busybox head -n 1)"
  done
} > /dev/console 2>&1
$busybox poweroff -f
`;

/** Where that is. */
export const usrInit = '/usr/bin/init';

/** The words of a command line for a system with no more than /usr: its root file system is in memory. */
export const usrParameters = [
  ...['console=ttyS0', 'quiet', 'panic=-1', 'root=tmpfs', 'rootfstype=tmpfs'],
  ...['mount.usr=/dev/mapper/usr', 'mount.usrfstype=erofs', 'mount.usrflags=ro', ...emulated],
];

/** Fills a folder with the files of /usr. */
export function placeUsr(parts: Parts, folder: string): void {
  for (const name of ['bin', 'lib', 'share']) mkdirSync(join(folder, name), { recursive: true });
  copyFileSync(parts.busybox, join(folder, 'bin/busybox'));
  writeFileSync(join(folder, 'bin/init'), init);
  for (const name of ['busybox', 'init']) chmodSync(join(folder, 'bin', name), 0o755);
  writeFileSync(join(folder, 'lib/os-release'), 'ID=usr\nVERSION_ID=1\nPRETTY_NAME="A /usr"\n');
  // Whole blocks: what is smaller shares one with the file system's own data. And not the last blocks
  // of the device, which udev reads to find out what it is.
  for (const [name, text] of Object.entries({ marker, fragile })) {
    writeFileSync(join(folder, 'share', name), `${text}\n`.padEnd(block, '.').repeat(2));
  }
  writeFileSync(join(folder, 'share/more'), '.'.repeat(64 * block));
}

/** Makes an EROFS image of a folder. Needs erofs-utils. */
export function makeErofs(image: string, folder: string): void {
  run('mkfs.erofs', ['--quiet', '-T0', image, folder]);
}

/** What the init said. */
export interface UsrReport {
  /** The line of /proc/mounts. */
  readonly mount: string;
  /** Name and UUID of the mapped device, which says what kind it is. */
  readonly device: string;
  /** The first line of the marker, as far as it could be read. */
  readonly marker: string;
  /** That of the file that a test may damage. */
  readonly fragile: string;
}

/** Returns what the init said on a console, or undefined when it never ran. */
export function findUsrReport(console: string): UsrReport | undefined {
  const said = (what: string) =>
    new RegExp(`^${mark} ${what} (.*)$`, 'm').exec(console)?.[1]?.trim();
  const [mount, device] = [said('mount'), said('device')];
  if (mount === undefined || device === undefined) return undefined;
  return { mount, device, marker: said('marker') ?? '', fragile: said('fragile') ?? '' };
}
