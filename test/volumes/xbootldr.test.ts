/** Whether systemd-boot finds an XBOOTLDR partition, as udev's database tells. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRead } from '../../src/volumes/xbootldr.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const XBOOTLDR = 'bc13c2ff-59e6-4262-a352-b275fd6f7172';
const MOUNTS = [
  '30 1 8:1 / /efi rw - vfat /dev/sda1 rw',
  '31 1 8:2 / /boot rw - vfat /dev/sda2 rw',
].join('\n');

/** What udev says of a partition, as far as it says anything. */
function entry(properties: Readonly<Record<string, string>>): string {
  const lines = Object.entries({ FS_TYPE: 'vfat', ...properties });
  return `S:disk/by-label/x\nI:1\n${lines.map(([key, value]) => `E:ID_${key}=${value}\n`).join('')}`;
}

const ESP = entry({
  PART_ENTRY_SCHEME: 'gpt',
  PART_ENTRY_TYPE: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b',
  PART_ENTRY_DISK: '8:0',
});
const onDisk = (disk: string, type = XBOOTLDR, scheme = 'gpt') =>
  entry({ PART_ENTRY_SCHEME: scheme, PART_ENTRY_TYPE: type, PART_ENTRY_DISK: disk });

/** Asks of a machine whose second partition is described like this. */
function ask(described: Readonly<Record<string, string>>): boolean {
  const files = { '/proc/self/mountinfo': MOUNTS, '/efi/x': '', ...described };
  const disk = new MemoryDisk({ files });
  return isRead('/efi', '/boot', { disk, host: disk });
}

test('one of its type on the disk of the ESP is read', () => {
  assert.equal(ask({ '/run/udev/data/b8:1': ESP, '/run/udev/data/b8:2': onDisk('8:0') }), true);
});

test('what udev says nothing of is not known to be read', () => {
  assert.equal(ask({}), false);
  assert.equal(ask({ '/run/udev/data/b8:1': ESP }), false);
  assert.equal(ask({ '/run/udev/data/b8:2': onDisk('8:0') }), false);
  assert.equal(ask({ '/run/udev/data/b8:1': ESP, '/run/udev/data/b8:2': entry({}) }), false);
});

for (const [what, described, words] of [
  ['on another disk', onDisk('8:16'), /on disk 8:16, and the ESP on disk 8:0/],
  ['of another type', onDisk('8:0', '0fc63daf-8483-4772-8e79-3d69d8477de4'), /gpt 0fc63daf/],
  ['without a GPT', onDisk('8:0', '0xea', 'dos'), /got dos 0xea/],
] as const) {
  test(`one ${what} is refused before anything is touched`, () => {
    const files = { '/run/udev/data/b8:1': ESP, '/run/udev/data/b8:2': described };
    assert.throws(() => ask(files), { code: 'CONFIG_INVALID', message: words });
  });
}
