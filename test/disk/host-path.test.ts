/** A disk says where the running system has its files; one that is no part of it is read through the port alone. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hash } from '../../src/digest.ts';
import { hashFiles } from '../../src/disk/hash-files.ts';
import { joinedDisk } from '../../src/disk/joined-disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { openBytes, openRaw } from '../../src/disk/raw-file.ts';
import { rootedDisk } from '../../src/disk/rooted-disk.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { withCode } from '../support/disk-contract.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const machine = nodeMachine(new URL(import.meta.url));

test('below a root, a link leads to what it leads to inside', (t) => {
  const root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'espalier-host-path-')));
  t.after(() => fs.rmSync(root, { recursive: true }));
  fs.symlinkSync('/etc/machine', join(root, 'link'));
  const disk = rootedDisk(nodeDisk(), root);
  assert.equal(disk.hostPath('/'), root);
  assert.equal(disk.hostPath('/link'), `${root}/etc/machine`);
  assert.equal(disk.hostPath('/not/there'), `${root}/not/there`);
});

test('in a tree of two file systems, a path leads to the one where it belongs', () => {
  const disk = joinedDisk(nodeDisk(), (path) => [path.replace(/^\/esp\/x/, '/boot/x')]);
  assert.equal(disk.hostPath('/esp/x/kernel'), '/boot/x/kernel');
  assert.equal(disk.hostPath('/esp/y'), '/esp/y');
});

test('a disk that is no part of the running system is read, and its files are hashed', async () => {
  const disk = new MemoryDisk({ files: { '/boot/kernel': 'kernel', '/boot/initrd': 'initrd' } });
  assert.equal(disk.hostPath(), undefined);
  const files = ['/boot/kernel', '/boot/initrd'].map((path) => ({ path, size: 6 }));
  const expected = files.map(({ path }) => [path, hash(path.slice('/boot/'.length))] as const);
  assert.deepEqual(await hashFiles(files, disk, { machine }), new Map(expected));
  using file = openBytes('/boot/kernel', { disk, machine });
  assert.equal(new TextDecoder().decode(file.read(0, 9)), 'kernel');
});

test('no second thread is started for files that the running system does not have', async () => {
  const size = 65 * 1024 * 1024;
  const zeros = {
    size,
    read: (_offset: number, length: number) => new Uint8Array(length),
    readInto: (offset: number, memory: Uint8Array) => memory.fill(0).subarray(0, size - offset),
    [Symbol.dispose]: () => undefined,
  };
  const files = ['/a', '/b'].map((path) => ({ path, size }));
  const disk = (hostPath: (path: string) => string | undefined) => ({
    open: () => zeros,
    hostPath,
  });
  let started = 0;
  const startThread = async () => {
    started++;
    return undefined;
  };
  const alone = await hashFiles(
    files,
    disk(() => undefined),
    { machine: { startThread } },
  );
  assert.equal(started, 0);
  assert.deepEqual(
    await hashFiles(
      files,
      disk((path) => path),
      { machine: { startThread } },
    ),
    alone,
  );
  assert.equal(started, 1);
});

test('where a file lies cannot be written to on a disk that is no part of the running system', () => {
  const disk = new MemoryDisk({ files: { '/boot/usr.verity': 'x' } });
  const hands = { disk, machine };
  const path = '/boot/usr.verity';
  assert.throws(() => openRaw(path, 'write', hands), withCode(path, 'CONFIG_INVALID'));
});
