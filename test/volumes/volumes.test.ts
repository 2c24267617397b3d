/** ESP and XBOOTLDR as one tree: what lies where, and which partitions do not go together. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { espPath } from '../../src/esp/layout.ts';
import type { Target } from '../../src/esp/target.ts';
import { findTargets, openTarget } from '../../src/volumes/volumes.ts';
import { aSystem, BOOT, ESP, mounted, type SystemShape } from './a-system.ts';

const XBOOTLDR = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';

/** What udev says of a partition of a disk. */
const partition = (disk: string, type = XBOOTLDR) =>
  `E:ID_PART_ENTRY_SCHEME=gpt\nE:ID_PART_ENTRY_TYPE=${type}\nE:ID_PART_ENTRY_DISK=${disk}\n`;
const UDEV = {
  '/run/udev/data/b8:1': partition('8:0', 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b'),
  '/run/udev/data/b8:2': partition('8:0'),
};

/** A system with an XBOOTLDR partition at /boot, as a target. */
async function opened(shape: SystemShape = {}): Promise<Target> {
  const flags = { xbootldr: BOOT, ...shape.settings };
  const { settings, context } = await aSystem({ ...shape, settings: flags });
  return openTarget(settings.esp?.[0] ?? ESP, settings, context);
}

async function refused(shape: SystemShape, message: RegExp): Promise<void> {
  await assert.rejects(opened(shape), { code: 'CONFIG_INVALID', message });
}

describe('a system without XBOOTLDR', () => {
  const settings = { xbootldr: undefined };

  test('is its ESP and nothing else', async () => {
    const { root, xbootldr, tree, disk, locate, others, warnings, ...rest } = await opened({
      settings,
    });
    assert.deepEqual([root, xbootldr, others, warnings], [ESP, undefined, [], []]);
    assert.equal(tree, disk);
    assert.equal(locate(espPath('EFI/Linux/a.efi')), '/efi/EFI/Linux/a.efi');
    assert.deepEqual([...rest.mounted.keys()], [ESP]);
  });

  test('has the targets that its settings name, the primary first', async () => {
    const { settings: given, context } = await aSystem({ settings: { esp: [BOOT, ESP] } });
    assert.deepEqual(findTargets(given, context), [BOOT, ESP]);
  });
});

describe('a system with XBOOTLDR', () => {
  test('shows both partitions as one tree', async () => {
    const files = { '/efi/EFI/BOOT/BOOTX64.EFI': 'loader', '/boot/EFI/Linux/a.efi': 'image' };
    const { tree } = await opened({ files });
    const names = (path: string) => tree.list(path)?.map(({ name }) => name);
    assert.deepEqual(names('/efi/EFI'), ['BOOT', 'Linux']);
    assert.deepEqual(names('/efi/EFI/Linux'), ['a.efi']);
  });

  test('knows the sectors of its disk as far as the kernel tells them', async () => {
    const size = { '/sys/dev/block/8:0/queue/logical_block_size': '4096\n' };
    assert.equal((await opened({ files: { ...UDEV, ...size } })).sectorSize, 4096);
    assert.equal((await opened({ files: UDEV })).sectorSize, undefined);
  });

  test('writes entries to XBOOTLDR, and what firmware starts to the ESP', async () => {
    const { locate } = await opened();
    const places = ['EFI/Linux/a.efi', 'EFI/nixos/k', 'loader/entries/a.conf', 'EFI/BOOT/B.EFI'];
    assert.deepEqual(
      [...places, 'EFI/systemd/s.efi', 'loader/loader.conf'].map((path) => locate(espPath(path))),
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

  test('shows other paths as they are, also one that only begins like the ESP', async () => {
    const { tree } = await opened({ files: { '/efivars/EFI/x': '', '/nix/store/x': '' } });
    assert.equal(tree.stat('/efivars/EFI/x')?.kind, 'file');
    assert.equal(tree.stat('/nix/store/x')?.kind, 'file');
  });

  test('knows what is at both mount points while it is written to', async () => {
    const { mounted: points, disk } = await opened();
    assert.deepEqual([...points.keys()], [ESP, BOOT]);
    assert.equal(points.get(BOOT)?.device, disk.stat(BOOT)?.device);
    assert.notEqual(points.get(BOOT)?.device, points.get(ESP)?.device);
  });

  test('writes to the disk on which the partitions are apart', async () => {
    const { tree, disk } = await opened();
    assert.notEqual(tree, disk);
  });
});

describe('entries of ours on the ESP', () => {
  const others = async (shape: SystemShape) => (await opened(shape)).others;

  test('go once it is known that the loader reads XBOOTLDR', async () => {
    assert.deepEqual(await others({ files: UDEV }), [{ root: ESP }]);
  });

  test('go from a directory that is no partition', async () => {
    assert.deepEqual(await others({ settings: { 'allow-directory': true } }), [{ root: ESP }]);
  });

  test('stay while nobody can tell whether the loader reads XBOOTLDR', async () => {
    const [other] = await others({});
    assert.equal(other?.root, ESP);
    assert.match(other?.stays ?? '', /nobody can tell here whether systemd-boot reads \/boot/);
  });
});

describe('partitions that do not go together', () => {
  test('are XBOOTLDR and two ESPs', () =>
    refused({ settings: { esp: [ESP, BOOT] } }, /goes with one ESP/));

  test('are told before anything is done', async () => {
    const { settings, context } = await aSystem({ settings: { xbootldr: ESP } });
    assert.throws(() => findTargets(settings, context), { code: 'CONFIG_INVALID' });
  });

  test('are two names of one', () =>
    refused({ settings: { xbootldr: ESP } }, /are the same file system/));

  test('are two directories of one file system, unless directories are asked for', async () => {
    const mounts = mounted(ESP, '8:1') + mounted('/efi/sub', '8:1');
    const files = { '/efi/sub/x': '' };
    await refused({ mounts, files, settings: { xbootldr: '/efi/sub' } }, /same file system/);
    const settings = { esp: ['/a'], xbootldr: '/b', 'allow-directory': true };
    const plain = await opened({ files: { '/a/x': '', '/b/x': '' }, settings });
    assert.equal(plain.xbootldr, '/b');
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
    const { tree, disk, others, warnings, locate, mounted: points } = await opened({ settings });
    assert.equal(tree, disk);
    assert.deepEqual([others, warnings], [[{ root: BOOT }], []]);
    assert.equal(locate(espPath('EFI/Linux/a')), '/efi/EFI/Linux/a');
    assert.deepEqual([...points.keys()], [ESP, BOOT]);
  });

  test('keeps nobody from booting when it is not there', async () => {
    const gone = { ...settings, 'former-xbootldr': '/gone' };
    const { others, warnings } = await opened({ settings: gone });
    assert.deepEqual(others, []);
    assert.match(warnings[0] ?? '', /^it is not cleaned: .*no such directory/);
  });

  test('is not the ESP', () =>
    refused({ settings: { ...settings, 'former-xbootldr': ESP } }, /same file system/));
});

test('two disks of which one is a copy of the other are told: both have one PARTUUID', async () => {
  const says = 'E:ID_PART_ENTRY_UUID=0A1B\n';
  const files = { '/run/udev/data/b8:1': says, '/run/udev/data/b8:2': says };
  const target = await opened({ files, settings: { xbootldr: undefined, esp: [ESP, BOOT] } });
  assert.deepEqual(target.partitions, ['0a1b', '0a1b']);
  assert.match(target.warnings[0] ?? '', /two ESPs have the PARTUUID 0a1b/);
});
