/** The descriptions in docs/images.md are made as they are written. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { openDiskImage } from '../../src/diskformat/formats.ts';
import { readPartitionTable } from '../../src/gpt/partition-table.ts';
import { partitionTypeName } from '../../src/gpt/partition-type.ts';
import { aKernel, aMachine, type Machine } from '../command/a-machine.ts';
import { attempt, run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { countingBytes } from '../pe/a-pe.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';

const page = fs.readFileSync(resolve(import.meta.dirname, '../../docs/images.md'), 'utf8');

/** A folder with an example of the page and all that it names. */
function anExample(t: TestContext, name: string) {
  const machine = aMachine(t);
  machine.brings('257.1');
  machine.generations([{}, {}]);
  const at = (path: string) => join(machine.root, path);
  const put = (path: string, content: Uint8Array | string) => {
    fs.mkdirSync(dirname(at(path)), { recursive: true });
    fs.writeFileSync(at(path), content);
  };
  fs.symlinkSync(machine.profiles, at('profiles'));
  put('linux', aKernel());
  put('initrd', countingBytes(5001));
  put('motd', 'hello\n');
  put('closure/store-paths', `${machine.toplevel(1)}\n${machine.toplevel(2)}\n`);
  put('closure/registration', 'paths\n');
  put('keys/db.pem', fs.readFileSync(certificatePath));
  put('keys/db.key', fs.readFileSync(privateKeyPath));
  fs.chmodSync(at('keys/db.key'), 0o600);
  put('rootfs/etc/os-release', 'ID=amzn\n');
  const text = new RegExp(`\`\`\`toml\\n(# ${name}\\n[^]*?)\`\`\``).exec(page)?.[1];
  assert.ok(text !== undefined, `docs/images.md has ${name}`);
  put(name, text);
  return { machine, at };
}

/** Builds it, and returns the partitions. */
async function build(machine: Machine, file: string, ...more: readonly string[]) {
  const ran = await machine.runWith({}, 'image', 'build', file, '--json', ...more);
  assert.equal(ran.error, undefined, `${ran.error?.message} ${ran.error?.hint}`);
  assert.equal(ran.status, 0);
  const rows: readonly { type: string; uuid: string; roothash: string | null }[] = JSON.parse(
    ran.output,
  );
  return rows;
}

const missing = missingTools(['cryptsetup-bin', 'erofs-utils']);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

describe('the examples of docs/images.md', () => {
  const noExt4 = attempt('mkfs.ext4', ['-V']).status !== 0 && 'there is no mkfs.ext4';
  test('make-disk-image: nixpkgs’ partitions, the closure, and the entries of install', {
    skip: noExt4,
  }, async (t) => {
    const { machine, at } = anExample(t, 'make-disk-image.toml');
    await build(machine, at('make-disk-image.toml'));
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

  test('verity-store: what nixpkgs makes in three runs and a check', { skip }, async (t) => {
    const { machine, at } = anExample(t, 'verity-store.toml');
    const rows = await build(machine, at('verity-store.toml'));
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
    const { machine, at } = anExample(t, 'kiwi.toml');
    run('tar', ['-C', at('rootfs'), '-cf', at('rootfs.tar'), '.']);
    const rows = await build(machine, at('kiwi.toml'));
    assert.deepEqual(
      rows.map(({ type }) => type),
      ['esp', 'root-x86-64', 'root-x86-64-verity', 'root-x86-64-verity-sig'],
    );
    const hex = rows[1]?.roothash ?? '';
    requireVerity(at, 'amazon.raw', 2, 1, hex);
    const { partitions } = readPartitionTable(bytesSource(fs.readFileSync(at('amazon.raw'))), 'a');
    const { offset = 0, size = 0 } = partitions[3] ?? {};
    const signed = fs
      .readFileSync(at('amazon.raw'))
      .subarray(offset, offset + size)
      .toString();
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
  const disk = fs.readFileSync(at(image));
  const { partitions } = readPartitionTable(bytesSource(disk), image);
  for (const [name, index] of [
    ['hash', hash],
    ['data', data],
  ] as const) {
    const { offset = 0, size = 0 } = partitions[index] ?? {};
    fs.writeFileSync(at(`${name}.part`), disk.subarray(offset, offset + size));
  }
  run('veritysetup', ['verify', at('data.part'), at('hash.part'), hex]);
  run('fsck.erofs', [at('data.part')]);
}
