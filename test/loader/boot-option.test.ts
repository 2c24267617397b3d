/** Boot entries of firmware: what each starts, whatever bytes firmware keeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Guid, guidBytes } from '../../src/guid.ts';
import {
  formatBootOption,
  formatBootOrder,
  parseBootOption,
  parseBootOrder,
} from '../../src/loader/boot-option.ts';

const utf16 = (text: string) => Buffer.from(`${text}\0`, 'utf16le');

/** A node of a device path (UEFI §10.3). */
function aNode(type: number, subtype: number, body: Uint8Array): Buffer {
  const header = Buffer.from([type, subtype, 0, 0]);
  header.writeUInt16LE(4 + body.length, 2);
  return Buffer.concat([header, body]);
}

const GUID = '0a1b2c3d-1122-3344-5566-77889900aabb' as Guid;

/** What efibootmgr makes for a program on a partition of a GPT (EFI_LOAD_OPTION, UEFI §3.1.3). */
function anOption(path: string, attributes = 1): Buffer {
  const drive = Buffer.alloc(38);
  drive.set(guidBytes(GUID), 20);
  drive.set([2, 2], 36);
  const list = Buffer.concat([
    aNode(4, 1, drive),
    aNode(4, 4, utf16(path)),
    aNode(0x7f, 0xff, new Uint8Array()),
  ]);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(attributes, 0);
  head.writeUInt16LE(list.length, 4);
  return Buffer.concat([head, utf16('Linux Boot Manager'), list, Buffer.from('optional')]);
}

test('a boot entry says its program, its partition, and whether it is active', () => {
  const path = '\\EFI\\systemd\\systemd-bootx64.efi';
  const title = 'Linux Boot Manager';
  assert.deepEqual(parseBootOption(anOption(path)), {
    isActive: true,
    partition: GUID,
    path,
    title,
  });
  assert.equal(parseBootOption(anOption(path, 0))?.isActive, false);
});

test('a boot entry that ends anywhere is read within bounds', () => {
  const whole = anOption('\\a.efi');
  for (let size = 0; size < whole.length; size++) parseBootOption(whole.subarray(0, size));
});

test('any bytes whatever are read within bounds', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseBootOption(bytes)));
});

test('the order is numbers of two bytes; half a number at its end is none', () => {
  assert.deepEqual(parseBootOrder(Uint8Array.of(1, 0, 2, 1, 9)), [1, 0x102]);
});

test('a boot entry of ours is what efibootmgr makes, byte for byte', () => {
  const path = '\\EFI\\systemd\\systemd-bootx64.efi';
  const partition = { number: 0, uuid: GUID, first: 0, sectors: 0 };
  const option = { title: 'Linux Boot Manager', partition };
  const theirs = anOption(path).subarray(0, -'optional'.length);
  assert.deepEqual(Buffer.from(formatBootOption({ ...option, path })), theirs);
  const slashes = { ...option, path: '/EFI/systemd/systemd-bootx64.efi' };
  assert.deepEqual(formatBootOption(slashes), formatBootOption({ ...option, path }));
  assert.deepEqual(parseBootOrder(formatBootOrder([1, 0x102])), [1, 0x102]);
});

test('what is written is read back, and has the bytes that efibootmgr writes', () => {
  const partition = { number: 2, first: 2048, sectors: 204800, uuid: GUID };
  const path = '\\EFI\\systemd\\systemd-bootx64.efi';
  const bytes = formatBootOption({ title: 'Title', partition, path });
  assert.deepEqual(parseBootOption(bytes), {
    isActive: true,
    partition: GUID,
    path,
    title: 'Title',
  });
  const drive = Buffer.from(bytes)
    .subarray(6 + 12)
    .toString('hex');
  const uuid = Buffer.from(guidBytes(GUID)).toString('hex');
  assert.ok(
    drive.startsWith(`04012a00020000000008000000000000002003000000000${'0'}${uuid}0202`),
    drive,
  );
  assert.ok(drive.endsWith('0000' + '7fff0400'));
  assert.deepEqual(parseBootOrder(formatBootOrder([3, 0x102])), [3, 0x102]);
});
