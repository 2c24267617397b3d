/** The descriptions in docs/images.md are made as they are written. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { openDiskImage } from '../../src/diskformat/formats.ts';
import { readPartitionTable } from '../../src/gpt/partition-table.ts';
import { partitionTypeName } from '../../src/gpt/partition-type.ts';
import { aKernel } from '../command/a-machine.ts';
import { attempt, run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { anExample, buildExample, extracted } from './an-example.ts';

const missing = missingTools(['cryptsetup-bin', 'erofs-utils']);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

describe('the examples of docs/images.md', () => {
  const noExt4 = attempt('mkfs.ext4', ['-V']).status !== 0 && 'there is no mkfs.ext4';
  test('make-disk-image: nixpkgs’ partitions, the closure, and the entries of install', {
    skip: noExt4,
  }, async (t) => {
    const example = anExample(t, 'make-disk-image.toml');
    const { machine, at } = example;
    await buildExample(example, 'make-disk-image.toml');
    const bytes = fs.readFileSync(at('nixos.qcow2'));
    const disk = openDiskImage(bytesSource(bytes), 'nixos.qcow2');
    const { uuid, partitions } = readPartitionTable(disk, 'nixos.qcow2');
    assert.equal(uuid, '97fd5997-f390-0b4a-a3f8-d106c1723aea');
    assert.deepEqual(
      partitions.map(({ type, offset, name }) => [partitionTypeName(type), offset / 512, name]),
      [
        ['esp', 16384, 'ESP'],
        ['linux-generic', 499712, 'primary'],
      ],
    );
    const { offset = 0, size = 0 } = partitions[0] ?? {};
    fs.writeFileSync(at('esp.raw'), disk.read(offset, size));
    const listed = await machine.runWith({}, 'list', '--esp', at('esp.raw'), '--json');
    assert.equal(listed.error, undefined, listed.error?.message);
    assert.match(listed.output, /nixos-generation-2-/);
    const root = partitions[1] ?? { offset: 0, size: 0 };
    fs.writeFileSync(at('root.raw'), disk.read(root.offset, root.size));
    run('e2fsck', ['-fn', at('root.raw')]);
    const read = (path: string) => run('debugfs', ['-R', `cat ${path}`, at('root.raw')]);
    assert.equal(read('/etc/motd'), 'hello\n');
    assert.equal(read('/nix-path-registration'), 'paths\n');
    assert.match(read(`${machine.toplevel(2)}/nixos-version`), /26\.05/);
  });

  test('make-disk-image with onlyNixStore: a file system that is the store', {
    skip: noExt4,
  }, async (t) => {
    const example = anExample(t, 'make-disk-image.toml');
    const { machine, at, put } = example;
    const store = '[root]\ncontents = [{ source-list = "closure/store-paths" }]\n';
    put('store.toml', `output = "store.raw"\ntable = "none"\nonly-nix-store = true\n${store}`);
    await buildExample(example, 'store.toml');
    run('e2fsck', ['-fn', at('store.raw')]);
    assert.match(run('dumpe2fs', ['-h', at('store.raw')]), /volume name: +nix-store\n/);
    const name = basename(machine.toplevel(2));
    const version = run('debugfs', ['-R', `cat /${name}/nixos-version`, at('store.raw')]);
    assert.match(version, /26\.05/);
    put(
      'store.toml',
      `output = "b.raw"\ntable = "none"\nonly-nix-store = true\n[root]\ncontents = [{ directory = "/a" }]`,
    );
    const { error } = await machine.runWith({}, 'image', 'build', at('store.toml'));
    assert.match(error?.message ?? '', /expected a source-list alone/);
  });

  test('verity-store: what nixpkgs makes in three runs and a check', { skip }, async (t) => {
    const example = anExample(t, 'verity-store.toml');
    const { machine, at } = example;
    const rows = await buildExample(example, 'verity-store.toml');
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['esp', 'usr-x86-64-verity', 'usr-x86-64'],
    );
    requireVerity(at, 'appliance.raw', 1, 2, rows[2]?.roothash ?? '');
    // The check that nixpkgs makes by hand: an image with this very root hash is on the ESP.
    const finished = ['image', 'finish', at('appliance.raw'), at('uki.efi')];
    const uki = await machine.runWith({}, 'list', '--esp', `${at('appliance.raw')}#1`, '--json');
    assert.match(uki.output, /nixos_1/);
    fs.writeFileSync(at('uki.efi'), aKernel());
    assert.equal((await machine.runWith({}, ...finished)).error?.code, 'IMAGE_MISMATCH');
  });

  test('kiwi: a root with hash tree and signature in partitions of their own', {
    skip,
  }, async (t) => {
    const example = anExample(t, 'kiwi.toml');
    const { at } = example;
    const rows = await buildExample(example, 'kiwi.toml');
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['esp', 'root-x86-64', 'root-x86-64-verity', 'root-x86-64-verity-sig'],
    );
    const hex = rows[1]?.roothash ?? '';
    requireVerity(at, 'amazon.raw', 2, 1, hex);
    const signed = fs.readFileSync(extracted(at('amazon.raw'), 3)).toString();
    assert.equal(JSON.parse(signed.replace(/\0+$/, '')).rootHash, hex);
  });
});

/** Has veritysetup check a pair of partitions, by their places in the table. */
function requireVerity(
  at: (path: string) => string,
  image: string,
  hash: number,
  data: number,
  hex: string,
): void {
  const parts = [data, hash].map((index) => extracted(at(image), index));
  run('veritysetup', ['verify', ...parts, hex]);
  run('fsck.erofs', [parts[0] ?? '']);
}
