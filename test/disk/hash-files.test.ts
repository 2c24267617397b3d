/** Files are hashed right, on one thread and on two, and what goes wrong costs only time. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { hash } from '../../src/digest.ts';
import type { SizedFile } from '../../src/disk/hash-file.ts';
import { hashFiles, serveHashWorker } from '../../src/disk/hash-files.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { withCode } from '../support/disk-contract.ts';

const top = mkdtempSync(join(tmpdir(), 'espalier-hash-'));
after(() => rmSync(top, { recursive: true }));

const disk = nodeDisk();
const worker = new URL('../support/hash-worker.ts', import.meta.url);
const MIB = 1 << 20;

function file(name: string, content: Uint8Array | string): SizedFile {
  const path = join(top, name);
  writeFileSync(path, content);
  return { path, size: statSync(path).size };
}

/** Files with holes: much to hash and little to store. */
function sparse(count: number, size: number): SizedFile[] {
  return Array.from({ length: count }, (_, index) => {
    const made = file(`sparse-${index}`, `${index}`);
    truncateSync(made.path, size + index);
    return { path: made.path, size: size + index };
  });
}

function expected({ path, size }: SizedFile): string {
  const content = new Uint8Array(size);
  content.set(new TextEncoder().encode(path.slice(path.lastIndexOf('-') + 1)));
  return createHash('sha256').update(content).digest('hex');
}

test('a digest is the same as that of the bytes in memory, around the edges of a piece', async () => {
  for (const size of [0, 1, MIB / 2 - 1, MIB / 2, MIB / 2 + 1, 3 * MIB]) {
    const content = new Uint8Array(size).map((_, index) => index % 251);
    const sized = file(`edge-${size}`, content);
    assert.deepEqual(await hashFiles([sized], disk), new Map([[sized.path, hash(content)]]));
  }
});

test('a path that is given twice is hashed once', async () => {
  const sized = file('twice', 'twice');
  assert.deepEqual(await hashFiles([sized, sized], disk), new Map([[sized.path, hash('twice')]]));
});

test('a file of another size than expected is SOURCE_CHANGED', async () => {
  const { path } = file('changed', 'content');
  for (const size of [0, 6, 8]) {
    await assert.rejects(hashFiles([{ path, size }], disk), withCode(path, 'SOURCE_CHANGED'));
  }
});

test('a file that cannot be read throws, or is reported and left out', async () => {
  const good = file('good', 'good');
  const gone = { path: join(top, 'gone'), size: 4 };
  const fifo = { path: join(top, 'fifo'), size: 4 };
  execFileSync('mkfifo', [fifo.path]);
  await assert.rejects(hashFiles([good, gone], disk), withCode(gone.path, 'IO'));
  const reported: string[] = [];
  const onUnreadable = (path: string): void => void reported.push(path);
  const digests = await hashFiles([good, gone, fifo, { path: top, size: 4 }], disk, {
    onUnreadable,
  });
  assert.deepEqual([...digests.keys()], [good.path]);
  assert.deepEqual(reported.sort(), [fifo.path, gone.path, top].sort());
});

test('two threads find the same digests, and what neither can read is reported once', async () => {
  const files = sparse(5, 32 * MIB);
  const gone = { path: join(top, 'gone'), size: 1 };
  const reported: string[] = [];
  const digests = await hashFiles([gone, ...files], disk, {
    machine: nodeMachine(worker),
    onUnreadable: (path) => void reported.push(path),
  });
  assert.deepEqual(reported, [gone.path]);
  assert.equal(digests.size, files.length);
  for (const each of files) assert.equal(digests.get(each.path), expected(each));
});

test('a thread that cannot start, or ends at once, costs only time', async () => {
  const files = sparse(2, 65 * MIB);
  const broken = ['throw new Error("broken");', 'process.exit(3);', 'not JavaScript'];
  const entries = broken.map((code) => new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  for (const workerEntry of [...entries, new URL('file:///nonexistent.mjs')]) {
    const digests = await hashFiles(files, disk, { machine: nodeMachine(workerEntry) });
    for (const each of files) assert.equal(digests.get(each.path), expected(each));
  }
});

test('on a thread that nobody asked to hash, serving ends at once', async () => {
  assert.equal(await serveHashWorker(), false);
});
