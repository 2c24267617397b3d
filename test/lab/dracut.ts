/** Debian's dracut, never installed: installing it would change the machine's own boot. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Parts } from './parts.ts';
import { toolRoot } from './tool-root.ts';

/**
 * Runs dracut in a system of its own, which is gone with the namespace: what it packs is of one Debian
 * version, and nobody has to be root. What it is asked to write or to install lies beside `$TMPDIR`.
 */
const script = `set -e
tools=$1 modules=$2 release=$3; shift 3
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
shared=\${TMPDIR%/*}
mount -t tmpfs system /mnt
cd /mnt
mkdir -p dev proc sys usr var/tmp ".$shared"
ln -s usr/bin usr/sbin usr/lib usr/lib64 .
cp -r "$tools/etc" .
mount --bind "$tools/usr" usr
mount -t tmpfs modules usr/lib/modules
cp -r "$modules" usr/lib/modules
mount --rbind /dev dev
mount --rbind /proc proc
mount --bind "$shared" ".$shared"
chroot . ldconfig
chroot . depmod "$release"
exec chroot . dracut "$@"
`;

/** Few modules of its own, and few of the kernel's: what more there is has been asked for. */
const settings = [
  '--no-hostonly --no-compress',
  '--modules "bash kernel-modules" --drivers "virtio_pci virtio_blk"',
].join(' ');

/** All that goes into an archive beside the kernel's modules and what `dracut` is asked for. */
export const dracutInputs = [script, settings];

/** Makes a `dracut` in `folder` for the kernel of the parts. Returns the folder to put on PATH. */
export function makeDracut(parts: Parts, folder: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  const path = join(bin, 'dracut');
  writeFileSync(join(bin, 'in-namespace'), script);
  const given = `"${toolRoot}" "${parts.modules}" ${parts.kernelVersion}`;
  const command = `unshare --map-root-user --mount sh "${bin}/in-namespace" ${given} ${settings} "$@"`;
  writeFileSync(path, `#!/bin/sh\nexec ${command}\n`);
  chmodSync(path, 0o755);
  return bin;
}
