/** ESP and XBOOTLDR as one tree: what lies where, and which partitions do not go together. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { espPath } from '../../src/esp/layout.ts';
import { mountedFor, placeOf, withVolumes } from '../../src/volumes/volumes.ts';
import { aSystem, BOOT, ESP, mounted, type SystemShape } from './a-system.ts';

const XBOOTLDR = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

/** What udev says of a partition of a disk. */
const partition = (disk: string, type = XBOOTLDR) =>
  `E:ID_PART_ENTRY_SCHEME=gpt\nE:ID_PART_ENTRY_TYPE=${type}\nE:ID_PART_ENTRY_DISK=${disk}\n`;
const UDEV = {
  '/run/udev/data/b8:1': partition('8:0', 'c12a7328'),
  '/run/udev/data/b8:2': partition('8:0'),
};

/** The context of a system with an XBOOTLDR partition at /boot. */
async function joined(shape: SystemShape = {}) {
  const { settings, context, disk } = await aSystem({
    ...shape,
    settings: { xbootldr: BOOT, ...shape.settings },
  });
  return { disk, context: withVolumes(settings, context) };
}

async function refused(shape: SystemShape, message: RegExp): Promise<void> {
  await assert.rejects(joined(shape), { code: 'CONFIG_INVALID', message });
}

describe('a system without XBOOTLDR', () => {
  test('is as it was', async () => {
    const { settings, context } = await aSystem();
    assert.equal(withVolumes(settings, context), context);
    assert.deepEqual([...mountedFor(ESP, context).keys()], [ESP]);
    const { disk, root, locate } = placeOf(ESP, context);
    assert.deepEqual([disk, root, locate], [context.disk, ESP, undefined]);
  });
});

describe('a system with XBOOTLDR', () => {
  test('shows both partitions as one tree', async () => {
    const files = { '/efi/EFI/BOOT/BOOTX64.EFI': 'loader', '/boot/EFI/Linux/a.efi': 'image' };
    const { context } = await joined({ files });
    const names = (path: string) => context.disk.list(path)?.map(({ name }) => name);
    assert.deepEqual(names('/efi/EFI'), ['BOOT', 'Linux']);
    assert.deepEqual(names('/efi/EFI/Linux'), ['a.efi']);
  });

  test('writes entries to XBOOTLDR, and what firmware starts to the ESP', async () => {
    const { context } = await joined();
    const { locate } = placeOf(ESP, context);
    const places = ['EFI/Linux/a.efi', 'EFI/nixos/k', 'loader/entries/a.conf', 'EFI/BOOT/B.EFI'];
    assert.deepEqual(
      [...places, 'EFI/systemd/s.efi', 'loader/loader.conf'].map((path) => locate?.(espPath(path))),
      [
        '/boot/EFI/Linux/a.efi',
        '/boot/EFI/nixos/k',
        '/boot/loader/entries/a.conf',
        '/efi/EFI/BOOT/B.EFI',
        '/efi/EFI/systemd/s.efi',
        '/efi/loader/loader.conf',
      ],
    );
  });

  test('finds for the running system what the tree shows, and leaves other paths alone', async () => {
    const { context } = await joined();
    assert.equal(context.locate('/efi/EFI/Linux/a.efi'), '/boot/EFI/Linux/a.efi');
    assert.equal(context.locate('/efi'), '/efi');
    assert.equal(context.locate('/efivars/x'), '/efivars/x');
    assert.equal(context.locate('/nix/store/x'), '/nix/store/x');
  });

  test('is watched at both mount points while it is written to', async () => {
    const { context, disk } = await joined();
    const points = mountedFor(ESP, context);
    assert.deepEqual([...points.keys()], [ESP, BOOT]);
    assert.equal(points.get(BOOT)?.device, disk.stat(BOOT)?.device);
  });

  test('writes to the disk on which the partitions are apart', async () => {
    const { context, disk } = await joined();
    assert.equal(placeOf(ESP, context).disk, disk);
    assert.notEqual(context.disk, disk);
  });
});

describe('entries of ours on the ESP', () => {
  const kept = async (shape: SystemShape) => (await joined(shape)).context.volumes?.others;

  test('go once it is known that the loader reads XBOOTLDR', async () => {
    assert.deepEqual(await kept({ files: UDEV }), [{ root: ESP }]);
  });

  test('go from a directory that is no partition', async () => {
    assert.deepEqual(await kept({ settings: { 'allow-directory': true } }), [{ root: ESP }]);
  });

  test('stay while nobody can tell whether the loader reads XBOOTLDR', async () => {
    const [other] = (await kept({})) ?? [];
    assert.equal(other?.root, ESP);
    assert.match(other?.stays ?? '', /nobody can tell here whether systemd-boot reads \/boot/);
  });
});

describe('partitions that do not go together', () => {
  test('are XBOOTLDR and two ESPs', () =>
    refused({ settings: { esp: [ESP, BOOT] } }, /goes with one ESP/));

  test('are two names of one', () =>
    refused({ settings: { xbootldr: ESP } }, /are the same file system/));

  test('are two directories of one file system, unless directories are asked for', async () => {
    const mounts = mounted(ESP, '8:1') + mounted('/efi/sub', '8:1');
    const files = { '/efi/sub/x': '' };
    await refused({ mounts, files, settings: { xbootldr: '/efi/sub' } }, /same file system/);
    const plain = { files: { '/a/x': '', '/b/x': '' } };
    const settings = { esp: ['/a'], xbootldr: '/b', 'allow-directory': true };
    assert.equal((await joined({ ...plain, settings })).context.volumes?.xbootldr, '/b');
  });

  test('are one that is mounted inside the other, whichever of them', async () => {
    const mounts = mounted('/boot', '8:1') + mounted('/boot/inner', '8:2');
    const shape = { mount: '/boot', second: '/boot/inner', mounts };
    const inner = { esp: ['/boot'], xbootldr: '/boot/inner' };
    await refused({ ...shape, settings: inner }, /one lies in the other/);
    const outer = { esp: ['/boot/inner'], xbootldr: '/boot' };
    await refused({ ...shape, settings: outer }, /one lies in the other/);
  });

  test('are one at whose EFI directory a third is mounted, as at /boot/efi', async () => {
    const files = { '/boot/EFI/x': '' };
    const disk: SystemShape['disk'] = (real) => ({
      stat: (path) => {
        const stat = real.stat(path);
        return stat && path === '/boot/EFI' ? { ...stat, device: 99 } : stat;
      },
    });
    await refused({ files, disk }, /^\/boot\/EFI: another file system is mounted there/);
  });
});

describe('a partition that was XBOOTLDR', () => {
  const settings = { xbootldr: undefined, 'former-xbootldr': BOOT };

  test('is cleaned, and the tree is that of the ESP', async () => {
    const { context, disk } = await joined({ settings });
    assert.equal(context.disk, disk);
    assert.deepEqual(context.volumes?.others, [{ root: BOOT }]);
    assert.deepEqual(context.volumes?.warnings, []);
    assert.equal(placeOf(ESP, context).locate?.(espPath('EFI/Linux/a')), '/efi/EFI/Linux/a');
    assert.deepEqual([...mountedFor(ESP, context).keys()], [ESP, BOOT]);
  });

  test('keeps nobody from booting when it is not there', async () => {
    const { context } = await joined({ settings: { ...settings, 'former-xbootldr': '/gone' } });
    assert.deepEqual(context.volumes?.others, []);
    assert.match(context.volumes?.warnings[0] ?? '', /^it is not cleaned: .*no such directory/);
  });

  test('is not the ESP', () =>
    refused({ settings: { ...settings, 'former-xbootldr': ESP } }, /same file system/));
});
