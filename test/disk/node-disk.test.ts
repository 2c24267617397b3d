/** What only a real file system shows: links, FIFOs, read-only mounts, /proc, and F1. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs, {
  chmodSync,
  mkdtempSync,
  promises,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import writeFileAtomic from 'write-file-atomic';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { withCode } from '../support/disk-contract.ts';

const disk = nodeDisk();
const top = mkdtempSync(join(realpathSync(tmpdir()), 'espalier-node-'));
const mounted: string[] = [];
after(() => {
  for (const path of mounted) execFileSync('umount', [path]);
  rmSync(top, { recursive: true });
});

/** Mounts a tmpfs, or returns undefined where that is not allowed. */
function mountSmall(): string | undefined {
  const directory = mkdtempSync(join(top, 'm'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', directory], {
      stdio: 'pipe',
    });
  } catch {
    return undefined;
  }
  mounted.push(directory);
  return directory;
}

/** Has the program see another function of node:fs for as long as a test lasts. */
function mockKernel(t: TestContext, name: 'write' | 'fdatasync', by: (...args: never[]) => void) {
  const mocked = t.mock.method(fs, name, by);
  syncBuiltinESMExports();
  t.after(() => {
    mocked.mock.restore();
    syncBuiltinESMExports();
  });
  return mocked;
}

test('links are told from what they lead to', () => {
  const directory = mkdtempSync(join(top, 'd'));
  writeFileSync(join(directory, 'file'), 'abc');
  symlinkSync('file', join(directory, 'link'));
  symlinkSync('nowhere', join(directory, 'dangling'));
  assert.equal(disk.stat(join(directory, 'link'))?.kind, 'file');
  assert.equal(disk.linkStat(join(directory, 'link'))?.kind, 'link');
  assert.equal(disk.readLink(join(directory, 'link')), 'file');
  assert.equal(disk.readLink(join(directory, 'file')), undefined);
  assert.equal(disk.realPath(join(directory, 'link')), join(directory, 'file'));
  assert.equal(disk.realPath(join(directory, 'dangling')), undefined);
  assert.equal(disk.stat(join(directory, 'dangling')), undefined);
  assert.deepEqual(
    disk.list(directory)?.map((entry) => entry.kind),
    ['link', 'file', 'link'],
  );
});

test('links that run in a circle lead nowhere', () => {
  const directory = mkdtempSync(join(top, 'd'));
  const path = join(directory, 'a');
  symlinkSync('a', path);
  assert.equal(disk.stat(path), undefined);
  assert.equal(disk.realPath(path), undefined);
  assert.equal(disk.list(path), undefined);
  assert.throws(() => disk.read(path, 1), withCode(path, 'FILE_MISSING'));
});

test('a name that no file can bear leads nowhere', () => {
  for (const path of ['/etc/\0passwd', `/${'x'.repeat(300)}`]) {
    assert.equal(disk.stat(path), undefined);
    assert.equal(disk.linkStat(path), undefined);
    assert.equal(disk.list(path), undefined);
    assert.equal(disk.realPath(path), undefined);
    assert.throws(() => disk.read(path, 1), withCode('', 'FILE_MISSING'));
  }
});

test('a FIFO in the place of a file is refused and not waited for', () => {
  const path = join(top, 'fifo');
  execFileSync('mkfifo', [path]);
  assert.throws(() => disk.read(path, 10), withCode(path, 'FILE_MISSING'));
  assert.throws(() => disk.open(path), withCode(path, 'FILE_MISSING'));
});

test('a file that claims to be empty, as those of /proc, is read to its end and to the limit', () => {
  assert.equal(disk.stat('/proc/self/status')?.size, 0);
  assert.ok(disk.read('/proc/self/status', 65_536).length > 0);
  assert.throws(() => disk.read('/proc/self/status', 10), withCode('status', 'FILE_TOO_LARGE'));
  const large = disk.read('/proc/kallsyms', 1 << 26);
  assert.equal(large.at(-1), 0x0a);
});

test('what is made is for its owner only, and replaced text stays so', async () => {
  const directory = join(mkdtempSync(join(top, 'd')), 'made');
  disk.makeDirectory(directory);
  const path = join(directory, 'text');
  await disk.replaceText(path, 'one');
  await disk.replaceText(path, 'two');
  await (await disk.create(join(directory, 'blob'))).finish();
  const modes = [directory, path, join(directory, 'blob')].map((each) => disk.stat(each)?.mode);
  assert.deepEqual(
    modes.map((mode) => (mode ?? 0) & 0o777),
    [0o700, 0o600, 0o600],
  );
});

test('what is made for everyone can be read by everyone', async () => {
  const directory = join(mkdtempSync(join(top, 'd')), 'made');
  disk.makeDirectory(directory, 'everyone');
  const path = join(directory, 'text');
  await disk.replaceText(path, 'one', 'everyone');
  const modes = [directory, path].map((each) => disk.stat(each)?.mode ?? 0);
  assert.deepEqual(
    modes.map((mode) => mode & 0o444),
    [0o444, 0o444],
  );
});

test('a copy is for its owner to write, whatever the original allowed', async () => {
  const directory = mkdtempSync(join(top, 'd'));
  writeFileSync(join(directory, 'from'), 'abc');
  chmodSync(join(directory, 'from'), 0o444);
  await disk.copy(join(directory, 'from'), join(directory, 'to'));
  assert.equal((disk.stat(join(directory, 'to'))?.mode ?? 0) & 0o777, 0o600);
});

test('a copy that is shorter than its source is no copy, and nothing is left of it', async (t) => {
  const directory = mkdtempSync(join(top, 'c'));
  const [from, to] = [join(directory, 'from'), join(directory, 'to')];
  writeFileSync(from, 'kernel');
  // What some file systems do when they are full: they copy less and say nothing.
  t.mock.method(promises, 'copyFile', async () => writeFileSync(to, 'kern'));
  await assert.rejects(disk.copy(from, to), { code: 'SHORT_WRITE' });
  assert.equal(disk.stat(to), undefined);
});

test('a file system mounted read-only is ESP_READ_ONLY for every change', async (t) => {
  const path = mountSmall();
  if (path === undefined) return t.skip('needs to mount a tmpfs');
  writeFileSync(join(path, 'file'), 'abc');
  execFileSync('mount', ['-o', 'remount,ro', path]);
  const refused = withCode(path, 'ESP_READ_ONLY');
  await assert.rejects(disk.create(join(path, 'new')), refused);
  await assert.rejects(disk.copy(join(path, 'file'), join(path, 'new')), refused);
  await assert.rejects(disk.replaceText(join(path, 'file'), 'text'), refused);
  await assert.rejects(disk.overwrite(join(path, 'file'), new Uint8Array(1)), refused);
  assert.throws(() => disk.rename(join(path, 'file'), join(path, 'new')), refused);
  assert.throws(() => disk.remove(join(path, 'file')), refused);
  assert.throws(() => disk.makeDirectory(join(path, 'a/b')), refused);
});

test('a large file is sent to the disk while it grows, and what the disk refused then is told', async (t) => {
  const path = join(top, 'large');
  const refusal = Object.assign(new Error('i/o error'), { code: 'EIO' });
  const early = mockKernel(t, 'fdatasync', (_: number, done: fs.NoParamCallback) => done(refusal));
  const file = await disk.create(path);
  await file.write(new Uint8Array(1024));
  assert.equal(early.mock.callCount(), 0);
  for (let written = 0; written < 20; written++) await file.write(new Uint8Array(1 << 20));
  assert.equal(early.mock.callCount(), 1);
  await assert.rejects(file.finish(), withCode(path, 'IO'));
});

test('a large write of which the kernel does a part at a time is done as a whole', async (t) => {
  const path = join(top, 'in-parts');
  const { write } = fs;
  type Done = (error: Error | null, written: number) => void;
  const part = (fd: number, bytes: Uint8Array, from: number, _: number, at: number, done: Done) =>
    write(fd, bytes, from, 70_000, at, done);
  mockKernel(t, 'write', part);
  const bytes = Uint8Array.from({ length: 210_000 }, (_, index) => index % 251);
  const file = await disk.create(path);
  await file.write(bytes);
  await file.finish();
  assert.ok(Buffer.from(bytes).equals(disk.read(path, 1 << 20)));
});

test('write-file-atomic alone still renames a truncated file on a full disk (F1)', async (t) => {
  const directory = mountSmall();
  if (directory === undefined) return t.skip('needs to mount a tmpfs');
  const path = join(directory, 'kernel.efi');
  await writeFileAtomic(path, 'x'.repeat(1 << 20));
  const size = disk.stat(path)?.size ?? 0;
  assert.ok(size < 1 << 20, 'it no longer does: replaceText need not write beforehand any more');
});

test('reading a file after closing it is a bug and not some other file', () => {
  const file = disk.open('/proc/self/exe');
  file[Symbol.dispose]();
  assert.throws(
    () => file.read(0, 1),
    (error) => error instanceof Error && !(error instanceof EspError),
  );
});

test('processes that make one link at once do not stand in each other’s way', async () => {
  const directory = mkdtempSync(join(top, 'd'));
  const path = join(directory, 'system-1-link');
  const module = new URL('../../src/disk/node-disk.ts', import.meta.url);
  const script = `import { nodeDisk } from '${module}';
    for (let time = 0; time < 50; time++) nodeDisk().makeLink('${path}', '/nix/store/a', 1000);`;
  const children = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'inherit' }),
  );
  const statuses = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));
  assert.deepEqual(statuses, [0, 0, 0, 0]);
  assert.deepEqual(readdirSync(directory), ['system-1-link']);
  assert.equal(readlinkSync(path), '/nix/store/a');
});

test('a link that a killed process did not finish is removed with the next of its name', () => {
  const directory = mkdtempSync(join(top, 'd'));
  const table = /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0];
  const dead = `${table}-${spawnSync('true').pid}`;
  const stays = [`b.${dead}.new`, `a.${table}-1.new`, `a.1-${dead.split('-')[1]}.new`, 'a.new'];
  for (const name of [`a.${dead}.new`, ...stays]) symlinkSync('/x', join(directory, name));
  disk.makeLink(join(directory, 'a'), '/y', 1000);
  assert.deepEqual(readdirSync(directory).sort(), ['a', ...stays].sort());
});
