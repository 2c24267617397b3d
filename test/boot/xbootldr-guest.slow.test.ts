/** On the kernel's own vfat: entries move to an XBOOTLDR partition once it is known to be one, and boot from there. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, suite, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { memberFrom, membersUnder } from '../lab/cpio.ts';
import { makeEmptyImage } from '../lab/esp-image.ts';
import { makeGptDisk } from '../lab/gpt-disk.ts';
import { runInGuest } from '../lab/guest.ts';
import type { GuestRan } from '../lab/guest-commands.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { bootImage } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import {
  assertBooted,
  doneWithWarnings,
  once,
  placeSettings,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'fdisk']);
const MEBIBYTE = 1024 * 1024;

/** Writes what udev would say of the two, each a disk of its own in this machine: `first` and `second` on `disk`. */
const udevSays = `mkdir -p /run/udev/data
  says() { echo "E:ID_PART_ENTRY_SCHEME=gpt
E:ID_PART_ENTRY_TYPE=$2
E:ID_PART_ENTRY_DISK=8:0" > /run/udev/data/b$(cat /sys/class/block/$1/dev); }
  says vdb c12a7328-f81f-11d2-ba4b-00a0c93ec93b; says vda bc13c2ff-59e6-4262-a352-b275fd6f7172`;

suite('with both partitions mounted', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-both-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const [esp, xbootldr] = [join(folder, 'esp.img'), join(folder, 'xbootldr.img')];
  const ran = once(() => installInGuest(folder, esp, xbootldr));
  const result = async (name: keyof typeof COMMANDS): Promise<GuestRan> => {
    const found = (await ran())[Object.keys(COMMANDS).indexOf(name)];
    assert.ok(found !== undefined);
    return found;
  };
  const ends = async (name: keyof typeof COMMANDS, status: number, words: RegExp) => {
    const found = await result(name);
    assert.equal(found.status, status, found.output);
    assert.match(found.output, words);
  };

  test('entries stay on the ESP while nobody knows the other partition, and are on both', {
    skip,
  }, async () => {
    await ends('unknown', doneWithWarnings, /entries of ours stay on \/efi/);
    const { output } = await result('files before');
    assert.match(output, /^\/efi\/loader\/entries\/nixos-generation-5-/m);
    assert.match(output, /^\/boot\/loader\/entries\/nixos-generation-5-/m);
  });

  test('one mounted below the other is refused, and so is what is mounted over EFI', {
    skip,
  }, async () => {
    await ends('nested', 2, /one lies in the other/);
    await ends('covered', 2, /another file system is mounted there/);
  });

  test('the same partition under two names is refused', { skip }, () =>
    ends('twice', 2, /the same file system/),
  );

  test('entries go from the ESP when it is known, and both file systems are sound', {
    skip,
  }, async () => {
    await ends('known', doneWithWarnings, /[1-9]\d* removed/);
    const { output } = await result('files after');
    const paths = output.trim().split('\n').sort();
    assert.deepEqual(
      paths.filter((path) => path.startsWith('/efi/')),
      [
        '/efi/EFI/BOOT/BOOTX64.EFI',
        '/efi/EFI/systemd/systemd-bootx64.efi',
        '/efi/loader/entries.srel',
        '/efi/loader/loader.conf',
      ],
    );
    assert.ok(paths.some((path) => path.startsWith('/boot/loader/entries/nixos-generation-5-')));
    for (const image of [esp, xbootldr]) run('fsck.vfat', ['-n', image]);
  });

  test('an XBOOTLDR partition that is not mounted is refused', { skip }, () =>
    ends('unmounted', 3, /ESP_NOT_MOUNTED|nothing is mounted there/),
  );

  test('an ESP that every user may read is told, with the option of mount', { skip }, async () => {
    await ends('in order', 0, /all is well/);
    const words = /loader\/random-seed.*mount it with the option umask=0077/;
    await ends('open and dirty', 5, words);
  });

  test('a FAT that was not unmounted is told, with the line of fsck.fat', { skip }, () =>
    ends(
      'open and dirty',
      5,
      /not unmounted in order: run umount \/efi && fsck\.fat -a \/dev\/vdb,/,
    ),
  );

  test('a disk with the two of them boots', { skip }, async () => {
    await ran();
    const image = join(folder, 'disk.img');
    makeGptDisk(image, [
      { type: 'esp', content: esp },
      { type: 'xbootldr', content: xbootldr },
    ]);
    assertBooted(await bootImage({ parts: theParts(), image }), '5');
  });
});

/** What is done in the guest, one after another. */
const COMMANDS = {
  'on the ESP': 'mkdir /efi; mount -t vfat -o umask=0077 /dev/vdb /efi; $install --esp /efi',
  unknown: '$install --esp /efi --xbootldr /boot',
  'files before': 'find /efi /boot -type f',
  nested:
    'mkdir /boot/esp; mount -t vfat /dev/vdb /boot/esp; $install --esp /boot/esp --xbootldr /boot',
  // FAT takes the one for the other.
  covered:
    'umount /boot/esp; rmdir /boot/esp; mount -t vfat /dev/vdb /boot/efi; $install --esp /efi --xbootldr /boot',
  twice:
    'umount /boot/efi; mkdir /again; mount -t vfat /dev/vdb /again; $install --esp /efi --xbootldr /again',
  known: `umount /again; ${udevSays}; $install --esp /efi --xbootldr /boot`,
  'files after': 'find /efi /boot -type f',
  'in order': 'touch /efi/loader/random-seed; $verify',
  // The kernel marks a FAT while it is mounted, as power that fails leaves it.
  'open and dirty': `dd if=/dev/vdb of=/dirty count=1; umount /efi; dd if=/dev/vdb of=/clean count=1
    dd if=/dirty of=/dev/vdb conv=notrunc; mount -t vfat -o ro,umask=0022 /dev/vdb /efi; $verify; status=$?
    umount /efi; dd if=/clean of=/dev/vdb conv=notrunc; mount -t vfat /dev/vdb /efi; exit $status`,
  unmounted:
    'umount /boot; $install --esp /efi --xbootldr /boot; status=$?; umount /efi; exit $status',
} as const;

async function installInGuest(
  folder: string,
  esp: string,
  xbootldr: string,
): Promise<readonly GuestRan[]> {
  const parts = theParts();
  const world = makeProfiles(join(folder, 'world'), parts);
  const program = await bundle(join(folder, 'espalier.mjs'));
  makeEmptyImage(esp, 128 * MEBIBYTE);
  makeEmptyImage(xbootldr, 256 * MEBIBYTE);
  const systemd = parts.systemdRoot[257];
  const install = [
    `node /espalier.mjs install --profiles ${world.profiles} --systemd ${systemd}`,
    `--stub ${parts.stub[257]} --loader-conf ${placeSettings(world)} --cache-dir /cache --allow-unsigned --format type1 --limit 1`,
  ].join(' ');
  const verify = 'node /espalier.mjs verify --esp /efi --xbootldr /boot --profiles /none';
  return runInGuest({
    parts,
    image: xbootldr,
    more: [esp],
    members: [
      memberFrom('espalier.mjs', resolve(program)),
      ...membersUnder(world.root),
      ...membersUnder(join(systemd, 'lib/systemd/boot')),
    ],
    commands: Object.values(COMMANDS).map((command) =>
      command.replace('$install', install).replace('$verify', verify),
    ),
    limit: 420,
  });
}
