/** Root hashes against the partitions of a machine: what boots next, and what `verify` says. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { findTroubles } from '../../src/survey/root-hash-check.ts';
import { partitionUuids } from '../../src/verity/root-hash.ts';
import { aMachine, MAIN, type Machine } from '../command/a-machine.ts';
import { aDisk, type Content } from '../gpt/a-disk.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { formatted, numberedBlocks, someParameters } from '../verity/a-pair.ts';

const USR = '8484680c-9521-48c6-9c11-b0720656f69e';
const USR_VERITY = '77ff5f63-e7b6-4633-acf4-1565b864c0e6';

/** A file system with its hash area; another salt gives another root hash. */
async function aFileSystem(salt: number) {
  const parameters = someParameters({ salt: new Uint8Array(32).fill(salt) });
  const data = numberedBlocks(parameters);
  const { hash, rootHash } = await formatted(data, parameters);
  const hex = Buffer.from(rootHash).toString('hex');
  return { data, hash, hex, uuids: partitionUuids(hex) };
}

type FileSystem = Awaited<ReturnType<typeof aFileSystem>>;

const [present, other] = await Promise.all([aFileSystem(1), aFileSystem(2)]);

function partitionsOf({ data, hash, uuids }: FileSystem): Content[] {
  return [
    { type: USR, uuid: uuids.data, bytes: data },
    { type: USR_VERITY, uuid: uuids.hash, bytes: hash },
  ];
}

/** Writes a disk beside a machine and returns its path. */
function aDiskFile({ root }: Machine, contents: readonly Content[]): string {
  const path = join(root, `${randomUUID()}.img`);
  fs.writeFileSync(path, aDisk(contents));
  return path;
}

/** An initrd with what opens a verity device, as the names of its files tell. */
const INITRD = formatCpio(
  ['systemd-veritysetup', 'system-generators/systemd-veritysetup-generator']
    .map((name) => memberOf(`usr/lib/systemd/${name}`, ''))
    .concat(memberOf('usr/lib/modules/6.12.58/kernel/drivers/md/dm-verity.ko', '')),
);

const boots = ({ hex }: FileSystem) => ({ kernelParams: [`usrhash=${hex}`], initrd: INITRD });

/** A machine whose first generation's /usr is on its disk, and whose second one's is not. */
function aMachineWithDisk(t: TestContext) {
  const machine = aMachine(t, { generations: [boots(present), boots(other)] });
  return { machine, disk: ['--disk', aDiskFile(machine, partitionsOf(present))] };
}

describe('a generation whose /usr is not here', () => {
  test('is installed and not made the one that boots next', async (t) => {
    const { machine, disk } = aMachineWithDisk(t);
    const { status, output } = await machine.run('install', ...disk, '--json');
    assert.equal(status, 5);
    assert.deepEqual(machine.installed(), [1, 2]);
    assert.equal(machine.next(), 1);
    assert.match(output, /generation-2-.*: usr: its data partition PARTUUID=\S+ and its hash part/);
    assert.match(output, /generation-2-\S+ is not made the one that boots next: .*generation-1-/);
  });

  test('boots next once its partitions are there', async (t) => {
    const { machine, disk } = aMachineWithDisk(t);
    await machine.run('install', ...disk);
    const second = ['--disk', aDiskFile(machine, partitionsOf(other))];
    const { status } = await machine.run('install', ...disk, ...second);
    assert.equal(status, 0);
    assert.equal(machine.next(), 2);
  });

  test('leaves its place to the running system, if that can be reached', async (t) => {
    const { machine, disk } = aMachineWithDisk(t);
    machine.generations([boots(present), boots(present), boots(other)]);
    machine.boots(1);
    await machine.run('install', ...disk);
    assert.equal(machine.next(), 1);
  });

  test('is refused with --require-verity, and nothing is touched', async (t) => {
    const { machine, disk } = aMachineWithDisk(t);
    const { status, error } = await machine.run('install', ...disk, '--require-verity');
    assert.deepEqual([status, error?.code], [3, 'VERITY_ABSENT']);
    assert.deepEqual(machine.tree(), {});
  });

  test('is refused when no other could boot in its place', async (t) => {
    const machine = aMachine(t, { generations: [boots(other)] });
    const disk = aDiskFile(machine, partitionsOf(present));
    const { status, error } = await machine.run('install', '--disk', disk);
    assert.deepEqual([status, error?.code], [3, 'VERITY_ABSENT']);
  });

  test('is for another machine when a directory is filled and no disk is named', async (t) => {
    const machine = aMachine(t, { generations: [boots(other)] });
    assert.equal((await machine.run('install')).status, 0);
  });
});

test('an initrd that cannot open the file system is warned of until it is replaced', async (t) => {
  const machine = aMachine(t, { generations: [{ ...boots(present), initrd: formatCpio([]) }] });
  for (let run = 0; run < 2; run++) {
    const { status, output } = await machine.run('install', '--json');
    assert.equal(status, 5);
    assert.match(output, /generation 1: .*initrd: .*veritysetup/);
  }
  machine.generations([boots(present)]);
  assert.equal((await machine.run('install')).status, 0);
});

test('a hash area that is not that of the root hash is as bad as none', async (t) => {
  const machine = aMachine(t, { generations: [{}, boots(present)] });
  const contents = partitionsOf(present).map((content) =>
    content.type === USR_VERITY ? { ...content, bytes: other.hash } : content,
  );
  const disk = aDiskFile(machine, contents);
  const { output } = await machine.run('install', '--disk', disk, '--json');
  assert.equal(machine.next(), 1);
  assert.match(output, /partition 2: expected root hash/);
});

test('verify looks at the top of the tree, and with --deep at all of the data', async (t) => {
  const machine = aMachine(t, { generations: [boots(present)] });
  const disk = aDiskFile(machine, partitionsOf(present));
  await machine.run('install', '--disk', disk);
  assert.equal((await machine.run('verify', '--deep', '--disk', disk)).status, 0);

  const flipped = fs.readFileSync(disk);
  const last = flipped.lastIndexOf(present.data.subarray(-4096));
  flipped[last] = (flipped[last] ?? 0) ^ 1;
  fs.writeFileSync(disk, flipped);
  assert.equal((await machine.run('verify', '--disk', disk)).status, 0);
  const { status, output } = await machine.run('verify', '--deep', '--disk', disk);
  assert.equal(status, 1);
  assert.match(output, /partition 1: corrupt at byte 36864: data block 9/);
});

describe('the disks of this machine', () => {
  const settings = { disk: undefined, 'allow-directory': false };

  function search(t: TestContext, found: readonly FileSystem[], deep = false) {
    const { root } = aMachine(t);
    const links = join(root, 'devices/by-partuuid');
    fs.mkdirSync(links, { recursive: true });
    for (const { data, hash, uuids } of found) {
      fs.writeFileSync(join(links, uuids.data), data);
      fs.writeFileSync(join(links, uuids.hash), hash);
    }
    const real = processContext(pathToFileURL(MAIN));
    const environment = { ESPALIER_DEVICES: join(root, 'devices') };
    return { settings, context: { ...real, environment }, deep };
  }

  test('are searched by the UUIDs that follow from the hash', async (t) => {
    const where = search(t, [present], true);
    assert.deepEqual(await findTroubles(`usrhash=${present.hex}`, where), []);
    const [trouble] = await findTroubles(`usrhash=${other.hex}`, where);
    assert.deepEqual(
      [trouble?.isUnknown, /data partition/.test(trouble?.text ?? '')],
      [false, true],
    );
  });

  test('are searched by other names where the command line has them', async (t) => {
    const where = search(t, [present]);
    const { uuids } = present;
    const named = `systemd.verity_root_data=PARTUUID=${uuids.data.toUpperCase()} systemd.verity_root_hash=PARTUUID=${uuids.hash}`;
    assert.deepEqual(await findTroubles(`roothash=${present.hex} ${named}`, where), []);
    const [trouble] = await findTroubles(`roothash=${other.hex} ${named}`, where);
    assert.match(trouble?.text ?? '', /^root: .*expected root hash/);
  });

  test('say nothing of a name that only the initrd understands', async (t) => {
    const cmdline = `usrhash=${present.hex} systemd.verity_usr_data=/dev/mapper/x\\y`;
    const [trouble] = await findTroubles(cmdline, search(t, [present]));
    assert.equal(trouble?.isUnknown, false, 'a path below /dev that is not there');
    const other = `usrhash=${present.hex} systemd.verity_usr_data=x`;
    const [unknown] = await findTroubles(other, search(t, [present]));
    assert.equal(unknown?.isUnknown, true);
  });

  test('are not missed where there are no device files at all', async (t) => {
    const { context } = search(t, []);
    const nowhere = { ...context, environment: { ESPALIER_DEVICES: '/none' } };
    const [trouble] = await findTroubles(`usrhash=${present.hex}`, {
      settings,
      context: nowhere,
      deep: false,
    });
    assert.equal(trouble?.isUnknown, true);
  });
});
