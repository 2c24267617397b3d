/** A /usr behind dm-verity: format, partitions, image and boot, with nothing between them but the root hash. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { makeEspImage } from '../lab/esp-image.ts';
import { type GptPartition, makeGptDisk } from '../lab/gpt-disk.ts';
import { fragile, makeErofs, marker, placeUsr } from '../lab/usr.ts';
import { doneWithWarnings, once, theParts } from './installed.ts';
import { installSystem, placeGenerations } from './verity-generations.ts';
import {
  assertIsVerity,
  bootUsr,
  espalierDoes,
  flipByte,
  placeEsp,
  whatVerityMisses,
} from './verity-machine.ts';

const skip = whatVerityMisses();

suite('a /usr behind dm-verity', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-verity-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  const usr = once(() => {
    placeUsr(theParts(), at('system/usr'));
    makeErofs(at('usr.erofs'), at('system/usr'));
    return at('usr.erofs');
  });
  /** Data and hash area in a partition each. */
  const pair = once(() => {
    const { rootHash, uuid } = format([usr(), at('usr.verity')]);
    const partitions: readonly GptPartition[] = [
      { type: 'usr', uuid: asUuid(rootHash.slice(0, 32)), content: usr() },
      { type: 'usr-verity', uuid: asUuid(rootHash.slice(-32)), content: at('usr.verity') },
    ];
    return { rootHash, uuid, partitions };
  });
  /** Boots a disk with them, and an image whose initrd dracut makes for it. One byte of /usr was flipped. */
  const flipped = once(async () => {
    const { rootHash, uuid, partitions } = pair();
    const esp = makeEsp('separate', ['--verity', rootHash], at('dracut'));
    const disk = at('separate.disk');
    const [, start = 0] = makeGptDisk(disk, [esp, ...partitions]);
    const offset = readFileSync(usr()).indexOf(fragile);
    assert.ok(offset > 0);
    flipByte(disk, start + offset);
    const report = await bootUsr(disk);
    assertIsVerity(report, uuid);
    return { ...report, block: Math.floor(offset / 4096) };
  });

  test('is found by its root hash alone, and is what the system runs from', { skip }, async () => {
    assert.equal((await flipped()).marker, marker);
  });

  test('with one byte flipped, that block cannot be read', { skip }, async () => {
    const { fragile: read, block, console } = await flipped();
    assert.equal(read, '');
    assert.match(console, new RegExp(`verity: .*: data block ${block} is corrupted`));
    assert.match(console, /read error: Input\/output error/);
  });

  test('with the hash area behind the data, one partition is enough', { skip }, async () => {
    const both = at('usr.both');
    copyFileSync(usr(), both);
    const offset = `${readFileSync(both).length}`;
    const { rootHash, uuid } = format([both, both, '--hash-offset', offset]);
    const hashArea = ['--verity-hash-area', both, '--verity-hash-offset', offset];
    const esp = makeEsp('both', ['--verity', both, ...hashArea]);
    const disk = at('both.disk');
    makeGptDisk(disk, [esp, { type: 'usr', uuid: asUuid(rootHash.slice(0, 32)), content: both }]);
    const report = await bootUsr(disk);
    assertIsVerity(report, uuid);
    assert.equal(report.fragile, fragile);
    assert.equal(report.marker, marker);
  });

  test('keeps the place of a newer generation whose /usr is not there', { skip }, async () => {
    const { rootHash, uuid, partitions } = pair();
    const another = 'ab'.repeat(32);
    placeGenerations(at('system'), [rootHash, another]);
    makeGptDisk(at('system/disk'), partitions);
    const { status, stderr } = installSystem(at('system'), '/efi', '/disk');
    assert.equal(status, doneWithWarnings, stderr);
    assert.match(stderr, new RegExp(`PARTUUID=${asUuid(another.slice(0, 32))}`));
    assert.match(stderr, /generation-2\S* is not made the one that boots next/);
    const disk = at('installed.disk');
    makeGptDisk(disk, [espOf('system/efi'), ...partitions]);
    const report = await bootUsr(disk);
    assertIsVerity(report, uuid);
    assert.equal(report.marker, marker);
  });

  function makeEsp(name: string, verity: readonly string[], dracutIn?: string): GptPartition {
    placeEsp(at(name), verity, dracutIn);
    return espOf(name);
  }

  function espOf(name: string): GptPartition {
    makeEspImage(at(`${name}.esp`), at(name));
    return { type: 'esp', content: at(`${name}.esp`) };
  }
});

function format(args: readonly string[]): { readonly rootHash: string; readonly uuid: string } {
  return JSON.parse(espalierDoes(['verity', 'format', ...args, '--json']));
}

/** The Discoverable Partitions Specification's way from half a root hash to a partition. */
function asUuid(half: string): string {
  return half.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
