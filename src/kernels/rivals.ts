/** Other tools that would put the same kernels on the ESP, and how each of them is turned off. */
import type { Disk } from '../disk/disk.ts';
import { EspError } from '../error.ts';

/** In bytes. These files are small texts. */
const LIMIT = 64 * 1024;

const INSTALL_CONF = ['/etc/kernel/install.conf', '/usr/lib/kernel/install.conf'];
const PLUGINS = ['/etc/kernel/install.d', '/usr/lib/kernel/install.d'];
/** Debian's kernels call kernel-install by this hook alone. */
const DEBIAN_HOOKS = ['/etc/kernel/postinst.d', '/usr/share/kernel/postinst.d'];

/** Returns what a person should do about other tools that install the same kernels. */
export function rivals(disk: Disk): readonly string[] {
  return [...kernelInstall(disk), ...mkinitcpio(disk)];
}

/** kernel-install writes entries of its own, unless its layout is another tool's. */
function kernelInstall(disk: Disk): readonly string[] {
  const isThere = disk.stat('/usr/bin/kernel-install') !== undefined;
  if (!isThere || !isCalled(disk) || layoutOf(disk) === 'espalier') return [];
  const place = (name: string) => PLUGINS.map((directory) => `${directory}/${name}`);
  const found = place('90-loaderentry.install').find((path) => disk.linkStat(path));
  if (found === undefined || disk.readLink(found) === '/dev/null') return [];
  // mkinitcpio's plugin makes an initrd for the layouts that it knows, and for no other.
  const off = place('50-mkinitcpio.install').some((path) => disk.stat(path))
    ? 'ln -sf /dev/null /etc/kernel/install.d/90-loaderentry.install'
    : 'echo layout=espalier >>/etc/kernel/install.conf';
  return [`kernel-install writes entries of the same kernels: turn that off with \`${off}\``];
}

function isCalled(disk: Disk): boolean {
  if (disk.stat('/usr/bin/dpkg') === undefined) return true;
  return DEBIAN_HOOKS.some((directory) => disk.stat(`${directory}/zz-systemd-boot`));
}

function layoutOf(disk: Disk): string | undefined {
  const file = INSTALL_CONF.find((path) => disk.stat(path));
  const lines = file === undefined ? [] : textOf(file, disk).split('\n');
  return lines
    .findLast((line) => line.startsWith('layout='))
    ?.slice('layout='.length)
    .trim();
}

/** A preset of mkinitcpio can write images of its own. */
function mkinitcpio(disk: Disk): readonly string[] {
  const directory = '/etc/mkinitcpio.d';
  return (disk.list(directory) ?? [])
    .filter(({ name }) => name.endsWith('.preset'))
    .map(({ name }) => `${directory}/${name}`)
    .filter((path) => /^\s*\w+_uki=/m.test(textOf(path, disk)))
    .map(
      (path) =>
        `mkinitcpio writes images of the same kernels: turn that off with \`sed -i 's/^[a-z]*_uki=/#&/' ${path}\``,
    );
}

function textOf(path: string, disk: Disk): string {
  try {
    return new TextDecoder().decode(disk.read(path, LIMIT));
  } catch (error) {
    if (error instanceof EspError) return '';
    throw error;
  }
}
