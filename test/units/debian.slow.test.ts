/** A real package of a kernel on Debian 12: installed, its initrd made anew, upgraded, removed and purged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { theParts, whatIsMissing } from '../boot/installed.ts';
import { debianRoot, kernelPackage } from '../lab/debian-root.ts';
import { attempt } from '../lab/run.ts';
import { noNamespaces, PackageMachine } from './a-package-machine.ts';

const skip =
  whatIsMissing([]) ||
  noNamespaces() ||
  (kernelPackage() === undefined && 'SKIPPED, missing parts: node test/lab/fetch.ts');

/** Debian in namespaces of its own: nothing of it outlives the script, and nobody has to be root. */
const INSIDE = `set -e
root=$1 machine=$2 node=$3 bundle=$4 systemd=$5
mount -t tmpfs upper /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work,userxattr" root /mnt/root
cd /mnt/root
cp -a "$machine/." .
mkdir -p usr/local/bin opt usr/lib/systemd/boot
touch usr/local/bin/node opt/espalier.mjs
mount --bind "$node" usr/local/bin/node
mount --bind "$bundle" opt/espalier.mjs
mount --bind "$systemd/lib/systemd/boot" usr/lib/systemd/boot
mount --rbind /proc proc
mount --rbind /dev dev
exec chroot . /bin/sh /script
`;

/** Dependencies are unpacked and not installed, which dpkg is told to pass over. */
const SCRIPT = `set -e
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
package=$(dpkg-deb -f /kernel.deb Package)
tell() {
  echo "@@ $1: $(ls /boot/efi/EFI/Linux | wc -l) entries, $(sed -n 's/^default .*-generation-\\([0-9]*\\)-.*/\\1/p' /boot/efi/loader/loader.conf) next"
}
mkdir -p /var/lib/espalier/kernels
dpkg --force-depends -i /kernel.deb
tell installed
update-initramfs -u
tell 'initrd made anew'
dpkg --force-depends -i /kernel.deb
tell upgraded
node /opt/espalier.mjs verify --deep
node /opt/espalier.mjs plan | sed -n '1s/^\\([^;]*\\).*/@@ plan: \\1/p'
dpkg --force-depends -r "$package"
tell removed
dpkg --force-depends -P "$package"
ls /var/lib/espalier/systems | wc -l | sed 's/^/@@ systems left: /'
`;

test('follows a package of a kernel through its life', { skip }, async () => {
  using machine = new PackageMachine('/opt/espalier.mjs', '/usr', '/usr/local/bin/node');
  machine.put('/script', SCRIPT);
  const node = process.execPath;
  const paths = [debianRoot, machine.root, node, await bundle(), theParts().systemdRoot[252]];
  const words = ['--user', '--map-root-user', '--mount', 'sh', '-c', INSIDE, 'sh'];
  const { status, stdout, stderr } = attempt('unshare', [...words, ...paths]);
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const told = stdout.split('\n').flatMap((line) => /^@@ (.*)/.exec(line)?.[1] ?? []);
  assert.deepEqual(told, [
    'installed: 1 entries, 1 next',
    'initrd made anew: 2 entries, 2 next',
    'upgraded: 2 entries, 3 next',
    'plan: /boot/efi: nothing to do',
    // Without any kernel nothing is removed from the ESP.
    'removed: 2 entries, 3 next',
    'systems left: 0',
  ]);
});
