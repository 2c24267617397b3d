/** A Debian machine that systemd has started, with a mounted ESP, for what only a service manager can show. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCpio, type Member, memberFrom, memberOf } from './cpio.ts';
import { moduleMembers } from './guest.ts';
import { commandMembers, findAllRan, type GuestRan, runCommands } from './guest-commands.ts';
import { shellMember } from './initrd.ts';
import type { Parts } from './parts.ts';
import { drive, emulated, runMachine } from './qemu.ts';
import { systemdMembers } from './systemd-root.ts';

export interface SystemdGuestOptions {
  readonly parts: Parts;
  /** A FAT image: `/dev/vda` in the guest, mounted as vfat on `/boot`. The guest writes to it. */
  readonly image: string;
  /** Files to put into the guest, beside systemd, a shell and Node: unit files for instance. */
  readonly members: readonly Member[];
  /** Shell commands, run one after another once systemd is up, whatever their status. */
  readonly commands: readonly string[];
  /** Seconds until the machine is switched off, whatever it does. */
  readonly limit?: number;
}

/** The first process: it does what udev would do, and hands over. */
const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin 2>/dev/null
mkdir -p /proc /sys /dev /run /tmp /boot /root /var/empty /var/cache
chmod 755 /
chmod 1777 /tmp
ln -s /run /var/run
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module || echo "$module was not loaded"; done
mount -t vfat -o umask=0077,noatime /dev/vda /boot || echo "/boot was not mounted"
exec /lib/systemd/systemd
`;

const guestTarget = `[Unit]
Description=A machine for a test
Requires=basic.target systemd-journald.service guest.service
After=basic.target
AllowIsolate=yes
`;

const guestService = `[Unit]
Description=The commands of a test
After=basic.target

[Service]
ExecStart=/bin/sh /guest
StandardOutput=tty
StandardError=tty
TTYPath=/dev/console
Environment=HOME=/root SYSTEMD_PAGER= SYSTEMD_COLORS=0 COLUMNS=200
`;

const script = `cd /tmp
${runCommands}
sync
umount /boot
poweroff -f
`;

const cmdline = [
  ...['console=ttyS0', 'quiet', 'loglevel=1', 'panic=1', 'rdinit=/init', ...emulated],
  ...['systemd.unit=guest.target', 'systemd.show_status=false', 'systemd.log_target=journal'],
].join(' ');

/**
 * Starts the kernel directly with one initrd that is the whole system, lets systemd start it, runs
 * the commands as a service and returns what each did.
 * @throws {Error} with the end of the console when the machine did not come to the last command
 */
export async function runInSystemdGuest(
  options: SystemdGuestOptions,
): Promise<readonly GuestRan[]> {
  const { parts, image, members, commands, limit = 600 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'espalier-guest-'));
  try {
    const initrd = join(folder, 'initrd');
    writeFileSync(
      initrd,
      formatCpio([
        ...systemdMembers(),
        ...moduleMembers(parts),
        { ...shellMember(parts), path: 'usr/bin/busybox' },
        memberFrom('usr/bin/node', process.execPath, 0o755),
        memberOf('etc/systemd/system/guest.target', guestTarget),
        memberOf('etc/systemd/system/guest.service', guestService),
        memberOf('guest', script),
        memberOf('init', init, 0o755),
        ...members,
        ...commandMembers(commands),
      ]),
    );
    const kernel = ['-kernel', parts.kernel, '-initrd', initrd, '-append', cmdline];
    const args = ['-machine', 'q35', '-smp', '2', '-no-reboot', ...kernel];
    const disk = drive(image, 'format=raw,if=virtio');
    const { text } = await runMachine([...args, ...disk], { limit, memory: 1536 });
    return findAllRan(text, commands);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
