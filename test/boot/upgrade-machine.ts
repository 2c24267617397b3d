/** A Debian machine with Secure Boot whose kernels come from packages, and that starts again whenever it is told to. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundle } from '../../tools/bundle.ts';
import { makeEspImage } from '../lab/esp-image.ts';
import { makeGptDisk } from '../lab/gpt-disk.ts';
import { findAllRan, type GuestRan, runNext } from '../lab/guest-commands.ts';
import { bootImage, emulated } from '../lab/qemu.ts';
import { attempt } from '../lab/run.ts';
import { upgradeRoot } from '../lab/upgrade-root.ts';
import { theParts } from './installed.ts';
import { espalierDoes } from './verity-machine.ts';

const MEBIBYTE = 1024 * 1024;
const PROGRAM = '/usr/lib/espalier/espalier.mjs';

/** The root file system is a disk of its own. */
const CMDLINE = [
  ...['root=/dev/vdb', 'rootfstype=ext4', 'rw', 'console=ttyS0', 'quiet', 'loglevel=1', 'panic=1'],
  ...['systemd.unit=guest.target', 'systemd.show_status=false', 'systemd.log_target=journal'],
  ...emulated,
].join(' ');

/** Files of the machine, beside those of its packages. */
const FILES = {
  'etc/kernel/cmdline': `${CMDLINE}\n`,
  'etc/espalier.toml': `esp = ["/boot/efi"]
certificate = "/etc/keys/keys/db/db.pem"
private-key = "/etc/keys/keys/db/db.key"
format = "uki"
boot-counting = 1

[loader]
timeout = 0
`,
  'etc/systemd/system/guest.target': `[Unit]
Description=A machine for a test
Requires=basic.target guest.service
After=basic.target
AllowIsolate=yes
`,
  // What a start is good for is told before anything is asked.
  'etc/systemd/system/guest.service': `[Unit]
Description=The commands of a test
After=basic.target systemd-bless-boot.service

[Service]
ExecStart=/bin/sh /guest
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
Environment=HOME=/root PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
Environment=SYSTEMD_PAGER= SYSTEMD_COLORS=0 COLUMNS=200 DEBIAN_FRONTEND=noninteractive
`,
  'usr/local/bin/espalier': `#!/bin/sh\nexec node ${PROGRAM} "$@"\n`,
  guest: `cd /root\n${runNext}\nsync\npoweroff -ff\n`,
} as const;

/** What a person does once, on the machine itself: our hooks, and the kernel that is there. */
const SET_UP = `set -e
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
chmod 755 /usr/local/bin/espalier
release=$(ls /usr/lib/modules)
depmod "$release"
mktirfs -o "/boot/initrd.img-$release" "$release"
espalier units --prefix /usr --kernel-hooks
espalier kernel sync
espalier install --allow-directory
`;

/** Debian in namespaces of its own, and a file system of what lies there then. Nobody has to be root. */
const INSIDE = `set -e
lower=$1 machine=$2 node=$3 bundle=$4 esp=$5 disk=$6
mount -t tmpfs upper /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o "lowerdir=$lower,upperdir=/mnt/upper,workdir=/mnt/work,userxattr" root /mnt/root
cd /mnt/root
cp -r "$machine/." .
mkdir -p usr/lib/espalier
cp "$bundle" .${PROGRAM}
touch usr/bin/node
mount --bind "$node" usr/bin/node
mount --bind "$esp" boot/efi
mount --rbind /proc proc
mount --rbind /dev dev
chroot . /bin/sh /set-up
umount -l proc dev boot/efi
mkfs.ext4 -q -d . "$disk" 512M
`;

/** Ends a start. A restart leaves nothing to be told. */
const RESTART = 'sync; umount /boot/efi; reboot -ff';

/** What the machine did. */
export interface UpgradeRan {
  /** What each command did. */
  readonly ran: readonly GuestRan[];
  /** What each start said. */
  readonly consoles: readonly string[];
}

/**
 * Makes the machine, and starts it so often that it has done the commands of each start. One that does not
 * come up by itself is started once more.
 * @param folder for its disks
 */
export async function runUpgradeMachine(
  folder: string,
  starts: readonly (readonly string[])[],
): Promise<UpgradeRan> {
  const keys = join(folder, 'machine/etc/keys');
  espalierDoes(['keys', 'generate', keys]);
  const commands = starts.flatMap((each, index) => (index === 0 ? each : [RESTART, ...each]));
  const { disk, root } = await makeDisks(folder, commands);
  const parts = theParts();
  const variables = join(folder, 'variables.fd');
  espalierDoes(['image', 'efi-vars', parts.ovmf.vars, '--output', variables, '--keys', keys]);
  const consoles: string[] = [];
  for (const _ of [...starts, 'the one that does not come up']) {
    const { console, ended } = await bootImage({
      ...{ parts, image: disk, disks: [root], memory: 1024, limit: 240 },
      secureBoot: { kind: 'enforcing', variables, save: variables },
    });
    consoles.push(console);
    if (ended !== 'power-off') break;
  }
  const told = commands.map((command) => (command === RESTART ? undefined : command));
  return { ran: findAllRan(consoles.join('\n'), told), consoles };
}

/** Makes the disk with the ESP and that with the root file system. */
async function makeDisks(
  folder: string,
  commands: readonly string[],
): Promise<{ readonly disk: string; readonly root: string }> {
  const at = (name: string) => join(folder, name);
  mkdirSync(at('esp'));
  const scripts = commands.map((command, index) => [`commands/${index}`, `${command}\n`]);
  const files: Record<string, string> = {
    ...FILES,
    ...Object.fromEntries(scripts),
    next: '0\n',
    'set-up': SET_UP,
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(at(`machine/${path}`)), { recursive: true });
    writeFileSync(at(`machine/${path}`), text);
  }
  const [disk, root] = [at('disk.img'), at('root.img')];
  const paths = [upgradeRoot, at('machine'), process.execPath, await bundle(), at('esp'), root];
  const words = ['--user', '--map-root-user', '--mount', 'sh', '-c', INSIDE, 'sh'];
  const made = attempt('unshare', [...words, ...paths]);
  assert.equal(made.status, 0, `${made.stdout}\n${made.stderr}`);
  makeEspImage(at('esp.img'), at('esp'), 128 * MEBIBYTE);
  makeGptDisk(disk, [{ type: 'esp', content: at('esp.img') }]);
  return { disk, root };
}
