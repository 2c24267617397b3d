/** One writer per ESP, whatever becomes of the other one. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { acquireLock, type Lock, lockDirectory } from '../../src/transaction/lock.ts';
import { withCode } from '../support/disk-contract.ts';

const disk = nodeDisk();
const top = mkdtempSync(join(tmpdir(), 'espalier-lock-'));
const children = new Set<ChildProcessWithoutNullStreams>();
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(top, { recursive: true });
});

const fresh = (): string => join(mkdtempSync(join(top, 'l')), 'espalier');
const acquire = (directory: string, timeoutSeconds = 0, key = 'fd00-1'): Promise<Lock> =>
  acquireLock({ disk, directory, key, verb: 'gc', timeoutSeconds });

/** Starts another process that holds the lock. */
async function holder(directory: string): Promise<ChildProcessWithoutNullStreams> {
  const script = fileURLToPath(new URL('../support/lock-holder.ts', import.meta.url));
  const child = spawn(process.execPath, [script, directory, 'fd00-1', '10']);
  children.add(child);
  await once(child.stdout, 'data');
  return child;
}

test('a lock is taken, released, and taken again', async () => {
  const directory = fresh();
  const first = await acquire(directory);
  first.release();
  first.release();
  using second = await acquire(directory);
  assert.ok(second);
});

test('a lock leaves its scope released', async () => {
  const directory = fresh();
  {
    using lock = await acquire(directory);
    assert.ok(lock);
    await assert.rejects(acquire(directory), withCode('', 'LOCKED'));
  }
  (await acquire(directory)).release();
});

test('the same process waits for itself as for any other', async () => {
  const directory = fresh();
  const first = await acquire(directory);
  const second = acquire(directory, 10);
  setImmediate(() => first.release());
  (await second).release();
});

test('two ESPs are locked apart', async () => {
  const directory = fresh();
  using one = await acquire(directory, 0, 'fd00-1');
  using two = await acquire(directory, 0, 'fd00-2');
  assert.ok(one && two);
});

test('whoever is refused learns who holds the lock', async () => {
  const directory = fresh();
  const child = await holder(directory);
  const waited: string[] = [];
  const refused = acquireLock({
    disk,
    directory,
    key: 'fd00-1',
    verb: 'gc',
    timeoutSeconds: 0.1,
    onWait: (who) => waited.push(who),
  });
  await assert.rejects(refused, (error) => {
    withCode(`install, process ${child.pid}, since 20`, 'LOCKED')(error);
    return true;
  });
  assert.equal(waited.length, 1);
  child.kill('SIGKILL');
});

test('a killed holder leaves no lock behind, and who waits gets it', async () => {
  const directory = fresh();
  const child = await holder(directory);
  const waiting = acquire(directory, 10);
  child.kill('SIGKILL');
  (await waiting).release();
  // The note of the killed process does not outlive the next holder.
  assert.equal(disk.stat(join(directory, 'fd00-1.holder')), undefined);
});

test('a holder that ends in order lets the next process in', async () => {
  const directory = fresh();
  const mine = await acquire(directory);
  const next = holder(directory);
  mine.release();
  const child = await next;
  await assert.rejects(acquire(directory), withCode(`process ${child.pid}`, 'LOCKED'));
  child.stdin.end();
  await once(child, 'exit');
  (await acquire(directory)).release();
});

test('only one of many processes is in at a time', async () => {
  const directory = fresh();
  let inside = 0;
  const enter = async (): Promise<void> => {
    using lock = await acquire(directory, 20);
    assert.ok(lock);
    assert.equal(++inside, 1);
    await new Promise(setImmediate);
    inside--;
  };
  const child = await holder(directory);
  const all = Promise.all([enter(), enter(), enter()]);
  child.stdin.end();
  await all;
});

test('a lock outlives a garbage collection even when nobody looks at it', async () => {
  const directory = fresh();
  const code = `
    const { nodeDisk } = await import(${JSON.stringify(import.meta.resolve('../../src/disk/node-disk.ts'))});
    const { acquireLock } = await import(${JSON.stringify(import.meta.resolve('../../src/transaction/lock.ts'))});
    const request = { disk: nodeDisk(), directory: ${JSON.stringify(directory)}, key: 'k', verb: 'gc', timeoutSeconds: 0 };
    await acquireLock(request);
    for (let round = 0; round < 5; round++) { gc(); await new Promise(setImmediate); }
    await acquireLock(request).then(() => process.exit(1), (error) => process.exit(error.code === 'LOCKED' ? 0 : 2));`;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', code]);
  const [status] = await once(child, 'exit');
  assert.equal(status, 0);
});

describe('what is in the way is named', () => {
  test('a note that is missing, too long or full of control characters is only a note', async () => {
    const directory = fresh();
    using lock = await acquire(directory);
    assert.ok(lock);
    const note = join(directory, 'fd00-1.holder');
    const told: readonly (readonly [string | undefined, string])[] = [
      [undefined, 'left no note'],
      ['x'.repeat(1000), 'left no note'],
      ['', 'left no note'],
      ['\u001b[2Jinstall\n', '([2Jinstall)'],
    ];
    for (const [text, words] of told) {
      disk.remove(note);
      if (text !== undefined) writeFileSync(note, text);
      await assert.rejects(acquire(directory), withCode(words, 'LOCKED'));
    }
  });

  test('a lock file that something else wrote to is refused with what to do', async () => {
    const directory = fresh();
    disk.makeDirectory(directory);
    const path = join(directory, 'fd00-1.lock');
    writeFileSync(path, 'no database, and longer than its header'.repeat(100), { mode: 0o600 });
    await assert.rejects(acquire(directory), (error) => {
      withCode(path, 'IO')(error);
      assert.match(String(Object(error).hint), /remove it/);
      return true;
    });
    disk.remove(path);
    (await acquire(directory)).release();
  });

  test('a link in the place of the lock file is refused, and what it leads to is not touched', async () => {
    const directory = fresh();
    disk.makeDirectory(directory);
    const path = join(directory, 'fd00-1.lock');
    symlinkSync('elsewhere', path);
    await assert.rejects(acquire(directory), withCode(path, 'IO'));
    assert.equal(disk.stat(join(directory, 'elsewhere')), undefined);
  });

  test('a directory that others can write to, or that is a link, is refused', async () => {
    const directory = fresh();
    disk.makeDirectory(directory);
    chmodSync(directory, 0o777);
    await assert.rejects(acquire(directory), withCode(directory, 'IO'));
    chmodSync(directory, 0o700);
    symlinkSync(directory, `${directory}-link`);
    await assert.rejects(acquire(`${directory}-link`), withCode(directory, 'IO'));
  });

  test('a directory that a group can write to is refused', async () => {
    const directory = fresh();
    disk.makeDirectory(directory);
    chmodSync(directory, 0o770);
    await assert.rejects(acquire(directory), withCode(directory, 'IO'));
  });

  test('a directory of another user is refused', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('needs root to give a directory away');
    const directory = fresh();
    disk.makeDirectory(directory);
    chownSync(directory, 65534, 65534);
    await assert.rejects(acquire(directory), withCode(directory, 'IO'));
  });

  test('a full or read-only place for locks is not told as a full or read-only ESP', async () => {
    for (const code of ['ESP_FULL', 'ESP_READ_ONLY'] as const) {
      const makeDirectory = () => {
        throw new EspError(code, '/run is the trouble');
      };
      const request = { directory: fresh(), key: 'fd00-1', verb: 'gc', timeoutSeconds: 0 };
      await assert.rejects(
        acquireLock({ ...request, disk: { ...disk, makeDirectory } }),
        withCode('where locks lie', 'IO'),
      );
    }
  });

  test('a directory that cannot be made says why', async () => {
    const directory = '/proc/espalier';
    await assert.rejects(acquire(directory), withCode(directory, 'IO'));
  });
});

test('root locks under /run, others under their own runtime directory or one with their name', () => {
  assert.equal(lockDirectory({ XDG_RUNTIME_DIR: '/run/user/0' }, 0), '/run/espalier');
  assert.equal(lockDirectory({ XDG_RUNTIME_DIR: '/run/user/7' }, 7), '/run/user/7/espalier');
  assert.equal(lockDirectory({ XDG_RUNTIME_DIR: 'relative' }, 7), '/tmp/espalier-7');
  assert.equal(lockDirectory({ TMPDIR: '/var/tmp' }, 7), '/var/tmp/espalier-7');
});

describe('nobody else can take what looks like a lock:', () => {
  const modeOf = (path: string) => statSync(path).mode & 0o777;

  test('directory and file are for their owner alone, whatever the umask', async () => {
    const directory = fresh();
    const before = process.umask(0o022);
    try {
      using lock = await acquire(directory);
      assert.ok(lock);
      assert.equal(modeOf(directory), 0o700);
      assert.equal(modeOf(join(directory, 'fd00-1.lock')), 0o600);
    } finally {
      process.umask(before);
    }
  });

  test('those of an older run are mended', async () => {
    const directory = fresh();
    (await acquire(directory)).release();
    chmodSync(directory, 0o755);
    chmodSync(join(directory, 'fd00-1.lock'), 0o644);
    using lock = await acquire(directory);
    assert.ok(lock);
    assert.equal(modeOf(directory), 0o700);
    assert.equal(modeOf(join(directory, 'fd00-1.lock')), 0o600);
  });
});
