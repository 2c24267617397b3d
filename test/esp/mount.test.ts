import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findEsp, findOrigin, parseMounts, requireEsp } from '../../src/esp/mount.ts';
import { MemoryDisk } from '../support/memory-disk.ts';
import { throwsWith } from './throws-with.ts';

/** One line of a mount table. */
function line(point: string, type: string, { options = 'rw,relatime', superOptions = 'rw' } = {}) {
  return `36 35 8:1 / ${point} ${options} shared:1 master:2 - ${type} /dev/sda1 ${superOptions}\n`;
}

/** A disk with these mounts and an ESP in `/boot`. */
function aDisk(...lines: readonly string[]): MemoryDisk {
  const table = line('/', 'ext4') + lines.join('');
  return new MemoryDisk({
    files: {
      '/proc/self/mountinfo': table,
      '/efi/x': '',
      '/boot/x': '',
      '/link': { link: '/boot' },
    },
  });
}

describe('the mount table', () => {
  test('is read as the kernel writes it', () => {
    const table =
      line('/boot', 'vfat') +
      line('/mnt/my\\040usb\\134x', 'fuseblk') +
      '37 35 0:5 / /dev rw - devtmpfs devtmpfs rw\n' +
      'too short\n' +
      '1 2 3:4 /sub\\040volume /x rw,ro-ish - vfat /dev/x rw\n';
    assert.deepEqual(parseMounts(table), [
      {
        id: '36',
        parent: '35',
        point: '/boot',
        type: 'vfat',
        source: '/dev/sda1',
        readOnly: false,
        device: '8:1',
        root: '/',
      },
      {
        id: '36',
        parent: '35',
        point: '/mnt/my usb\\x',
        type: 'fuseblk',
        source: '/dev/sda1',
        readOnly: false,
        device: '8:1',
        root: '/',
      },
      {
        id: '37',
        parent: '35',
        point: '/dev',
        type: 'devtmpfs',
        source: 'devtmpfs',
        readOnly: false,
        device: '0:5',
        root: '/',
      },
      {
        id: '1',
        parent: '2',
        point: '/x',
        type: 'vfat',
        source: '/dev/x',
        readOnly: false,
        device: '3:4',
        root: '/sub volume',
      },
    ]);
  });

  test('shows what is read-only, as a mount and as a file system', () => {
    for (const ro of [{ options: 'ro,nosuid' }, { superOptions: 'ro,fmask=0077' }]) {
      assert.equal(parseMounts(line('/boot', 'vfat', ro))[0]?.readOnly, true);
    }
  });

  test('may hold anything', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) =>
        Array.isArray(parseMounts(text)),
      ),
    );
  });
});

describe('an ESP', () => {
  test('is a FAT file system that is mounted there, found through links too', () => {
    const disk = aDisk(line('/boot', 'vfat'));
    assert.equal(requireEsp(disk, '/boot', false), '/boot');
    assert.equal(requireEsp(disk, '/link', false), '/boot');
  });

  test('is not a directory below the mount point, nor one with nothing mounted', () => {
    const disk = aDisk(line('/', 'vfat'));
    throwsWith('ESP_NOT_MOUNTED', () => requireEsp(disk, '/boot', false));
    throwsWith('ESP_NOT_MOUNTED', () => requireEsp(disk, '/none', false));
    throwsWith('ESP_NOT_MOUNTED', () => requireEsp(disk, '/none', true));
    throwsWith('ESP_NOT_MOUNTED', () => requireEsp(disk, '/boot/x', true));
  });

  test('is not one that a later mount above it hides', () => {
    const at = (id: number, parent: number, point: string, type = 'ext4') =>
      `${id} ${parent} 8:${id} / ${point} rw - ${type} /dev/sda${id} rw\n`;
    const table = (...lines: readonly string[]) =>
      new MemoryDisk({
        files: { '/proc/self/mountinfo': at(1, 0, '/') + lines.join(''), '/boot/efi/x': '' },
      });
    const seen = table(at(2, 1, '/boot'), at(3, 2, '/boot/efi', 'vfat'));
    assert.equal(requireEsp(seen, '/boot/efi', false), '/boot/efi');
    for (const hidden of [
      table(at(3, 1, '/boot/efi', 'vfat'), at(4, 1, '/boot')),
      table(at(2, 1, '/boot'), at(3, 2, '/boot/efi', 'vfat'), at(4, 2, '/boot')),
    ])
      throwsWith('ESP_NOT_MOUNTED', () => requireEsp(hidden, '/boot/efi', false));
  });

  test('is not another file system, and not one that is read-only', () => {
    throwsWith('ESP_NOT_FAT', () => requireEsp(aDisk(line('/boot', 'ext4')), '/boot', false));
    const readOnly = aDisk(line('/boot', 'vfat', { options: 'ro' }));
    throwsWith('ESP_READ_ONLY', () => requireEsp(readOnly, '/boot', false));
    assert.equal(requireEsp(readOnly, '/boot', false, 'read'), '/boot');
  });

  test('is what was mounted last, as over an automount', () => {
    const disk = aDisk(line('/boot', 'autofs'), line('/boot', 'vfat'));
    assert.equal(requireEsp(disk, '/boot', false), '/boot');
    const covered = aDisk(line('/boot', 'vfat'), line('/boot', 'tmpfs'));
    throwsWith('ESP_NOT_FAT', () => requireEsp(covered, '/boot', false));
  });

  test('is any directory where that is allowed', () => {
    assert.equal(requireEsp(aDisk(), '/link', true), '/boot');
  });

  test('is found at the first of the usual places that is one', () => {
    assert.equal(findEsp(aDisk(line('/boot', 'vfat'))), '/boot');
    assert.equal(findEsp(aDisk(line('/boot', 'vfat'), line('/efi', 'vfat'))), '/efi');
    assert.equal(findEsp(aDisk(line('/boot', 'ext4'))), undefined);
  });
});

describe('what is bound to a place', () => {
  /** A disk with these mounts, on which files with the same number are the same file. */
  function aBoundDisk(inodes: Readonly<Record<string, number>>, ...mounts: readonly string[]) {
    const disk = new MemoryDisk({ files: { '/proc/self/mountinfo': mounts.join(''), '/x': '' } });
    return {
      read: disk.read.bind(disk),
      stat(path: string) {
        const [stat, inode] = [disk.stat('/x'), inodes[path]];
        return stat && inode !== undefined ? { ...stat, inode } : undefined;
      },
    };
  }
  const mount = (root: string, point: string, device = '8:1') =>
    `36 35 ${device} ${root} ${point} rw - ext4 /dev/sda1 rw\n`;
  const booted = mount('/nix/store/abc', '/run/booted');

  test('is found where it is seen through another mount', () => {
    const store = aBoundDisk(
      { '/run/booted': 7, '/nix/store/abc': 7 },
      mount('/nix/store', '/nix/store'),
      booted,
    );
    assert.equal(findOrigin(store, '/run/booted'), '/nix/store/abc');
    const root = aBoundDisk({ '/run/booted': 7, '/nix/store/abc': 7 }, mount('/', '/'), booted);
    assert.equal(findOrigin(root, '/run/booted'), '/nix/store/abc');
    const volume = aBoundDisk(
      { '/run/booted': 7, '/nix/store/abc': 7 },
      mount('/', '/nix'),
      mount('/store/abc', '/run/booted'),
    );
    assert.equal(findOrigin(volume, '/run/booted'), '/nix/store/abc');
  });

  test('is not found where something else is seen, nor on another file system', () => {
    const covered = aBoundDisk(
      { '/run/booted': 7, '/nix/store/abc': 8 },
      mount('/', '/'),
      mount('/nix/st', '/nix/st'),
      booted,
    );
    assert.equal(findOrigin(covered, '/run/booted'), undefined);
    const other = aBoundDisk(
      { '/run/booted': 7, '/nix/store/abc': 7 },
      mount('/', '/', '8:2'),
      booted,
    );
    assert.equal(findOrigin(other, '/run/booted'), undefined);
    assert.equal(findOrigin(other, '/elsewhere'), undefined);
  });
});
