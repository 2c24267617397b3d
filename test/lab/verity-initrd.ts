/** The initrd of a system whose /usr is protected by dm-verity: systemd, packed by Debian's dracut. */
import { hash } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, type Parts } from './parts.ts';
import { run } from './run.ts';
import { ensureToolRoot, toolPackages, toolRoot } from './tool-root.ts';

const dracutArguments = [
  ...['--no-hostonly', '--modules', 'base systemd-initrd systemd-udevd systemd-veritysetup'],
  ...['--drivers', 'virtio_pci virtio_blk dm-verity erofs', '--filesystems', 'erofs'],
  '--no-compress',
];

/** Runs dracut as if it were installed, on a copy of the modules that is gone with the namespace. */
const script = `set -e
root=$1 modules=$2 out=$3 release=$4; shift 4
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount --bind "$out" "$root/var/tmp"
mount -t tmpfs modules "$root/usr/lib/modules"
cp -r "$modules" "$root/usr/lib/modules/"
chroot "$root" ldconfig
chroot "$root" depmod "$release"
exec chroot "$root" dracut --kver "$release" "$@" /var/tmp/initrd
`;

/** Returns the archive if it is in the cache; never touches the network. */
export function findVerityInitrd(parts: Parts): string | undefined {
  const path = archivePath(parts);
  return existsSync(path) ? path : undefined;
}

/**
 * Makes the archive unless the cache has it, for the kernel of the parts. Neither dracut nor what it
 * packs is installed, and nobody has to be root.
 * @throws {Error} when the packages cannot be fetched, or dracut fails
 */
export function ensureVerityInitrd(parts: Parts, say: (what: string) => void = () => {}): void {
  const path = archivePath(parts);
  if (existsSync(path)) return;
  ensureToolRoot(say);
  const work = mkdtempSync(join(cacheFolder, '.dracut-'));
  try {
    const where = [toolRoot, parts.modules, work, parts.kernelVersion];
    const inNamespace = ['--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
    run('unshare', [...inNamespace, ...where, ...dracutArguments]);
    renameSync(join(work, 'initrd'), path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Whatever goes into the archive is in its name. */
function archivePath({ kernelVersion }: Parts): string {
  const inputs = JSON.stringify([kernelVersion, toolPackages, dracutArguments, script]);
  return join(cacheFolder, `verity-initrd-${hash('sha256', inputs).slice(0, 16)}.cpio`);
}
