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

/** A root hash that no partition has. */
const ANOTHER = 'ab'.repeat(32);

suite('a /usr behind dm-verity', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-verity-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  const usr = once(() => {
    placeUsr(theParts(), at('system/usr'));
    makeErofs(at('usr.erofs'), at('system/usr'));
    return at('usr.erofs');
  });
  /**
   * Data and hash area in a partition each, and a system with two generations, of which the newer one wants
   * another /usr. Boots it. One byte of /usr was flipped.
   */
  const flipped = once(async () => {
    const { rootHash, uuid } = format([usr(), at('usr.verity')]);
    const partitions: readonly GptPartition[] = [
      { type: 'usr', uuid: asUuid(rootHash.slice(0, 32)), content: usr() },
      { type: 'usr-verity', uuid: asUuid(rootHash.slice(-32)), content: at('usr.verity') },
    ];
    placeGenerations(at('system'), [rootHash, ANOTHER]);
    makeGptDisk(at('system/disk'), partitions);
    const installed = installSystem(at('system'), '/efi', '/disk');
    const disk = at('installed.disk');
    const [, start = 0] = makeGptDisk(disk, [espOf('system/efi'), ...partitions]);
    const offset = readFileSync(usr()).indexOf(fragile);
    assert.ok(offset > 0);
    flipByte(disk, start + offset);
    const report = await bootUsr(disk);
    assertIsVerity(report, uuid);
    return { ...report, installed, block: Math.floor(offset / 4096) };
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

  test('keeps the place of a newer generation whose /usr is not there', { skip }, async () => {
    const { status, stderr } = (await flipped()).installed;
    assert.equal(status, doneWithWarnings, stderr);
    assert.match(stderr, new RegExp(`PARTUUID=${asUuid(ANOTHER.slice(0, 32))}`));
    assert.match(stderr, /generation-2\S* is not made the one that boots next/);
  });

  test('with the hash area behind the data, one partition is enough, and dracut makes the initrd', {
    skip,
  }, async () => {
    const both = at('usr.both');
    copyFileSync(usr(), both);
    const offset = `${readFileSync(both).length}`;
    const { rootHash, uuid } = format([both, both, '--hash-offset', offset]);
    const hashArea = ['--verity-hash-area', both, '--verity-hash-offset', offset];
    placeEsp(at('both'), ['--verity', both, ...hashArea], at('dracut'));
    const disk = at('both.disk');
    const data = { type: 'usr', uuid: asUuid(rootHash.slice(0, 32)), content: both } as const;
    makeGptDisk(disk, [espOf('both'), data]);
    const report = await bootUsr(disk);
    assertIsVerity(report, uuid);
    assert.equal(report.fragile, fragile);
    assert.equal(report.marker, marker);
  });

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
