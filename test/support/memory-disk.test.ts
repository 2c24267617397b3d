/** The FAT in memory shows the faults that it claims to have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { withCode } from './disk-contract.ts';
import { faultyDisk } from './faulty-disk.ts';
import { MemoryDisk, PowerLoss } from './memory-disk.ts';

const KEEP_NOTHING = 0;
const KEEP_ALL = 1;
const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const textAt = (disk: MemoryDisk, path: string): string | undefined =>
  disk.stat(path) && new TextDecoder().decode(disk.read(path, 1 << 20));

async function write(disk: MemoryDisk, path: string, content: string): Promise<void> {
  const file = await disk.create(path);
  await file.write(text(content));
  await file.finish();
}

test('case does not tell names apart on the FAT, and does on the store', async () => {
  const disk = new MemoryDisk({ files: { '/boot/EFI/Linux/a.efi': 'a', '/nix/store/a': 'a' } });
  assert.equal(textAt(disk, '/boot/efi/LINUX/A.EFI'), 'a');
  assert.equal(textAt(disk, '/nix/store/A'), undefined);
  await assert.rejects(disk.create('/boot/efi/linux/A.efi'), withCode('A.efi', 'IO'));
});

test('names that vfat refuses are refused on the FAT and taken on the store', async () => {
  const disk = new MemoryDisk();
  for (const name of ['a:b', 'a?', 'a*', 'a\\b', '...', 'x'.repeat(256)]) {
    await assert.rejects(disk.create(`/boot/${name}`), withCode('create', 'IO'));
  }
  await write(disk, '/a:b', 'fine');
});

test('links on the store are followed, also onto the FAT, and a circle leads nowhere', () => {
  const disk = new MemoryDisk({
    files: {
      '/nix/store/system-1/kernel': 'k',
      '/nix/profiles/system-1-link': { link: '../store/system-1' },
      '/nix/profiles/system': { link: 'system-1-link' },
      '/esp': { link: '/boot' },
      '/boot/file': 'f',
      '/circle': { link: 'circle' },
    },
  });
  assert.equal(textAt(disk, '/nix/profiles/system/kernel'), 'k');
  assert.equal(disk.realPath('/nix/profiles/system'), '/nix/store/system-1');
  assert.equal(disk.readLink('/nix/profiles/system'), 'system-1-link');
  assert.equal(textAt(disk, '/esp/file'), 'f');
  assert.equal(disk.stat('/circle'), undefined);
  assert.equal(disk.fileSystem('/esp')?.type, 0x4d44);
});

test('space is counted in clusters, freed by removing, and taken by directories too', async () => {
  const disk = new MemoryDisk({ capacity: 8 * 4096, clusterSize: 4096 });
  const free = (): number => (disk.fileSystem('/boot')?.free ?? 0) / 4096;
  assert.equal(free(), 7);
  await write(disk, '/boot/one', 'x'.repeat(4097));
  assert.equal(free(), 5);
  disk.makeDirectory('/boot/d');
  assert.equal(free(), 4);
  disk.remove('/boot/one');
  assert.equal(free(), 6);
  await write(disk, '/boot/fits', 'x'.repeat(6 * 4096));
  assert.equal(free(), 0);
});

test('a full disk keeps the beginning of what is written', async () => {
  const disk = new MemoryDisk({ capacity: 4 * 512 });
  const file = await disk.create('/boot/a');
  await assert.rejects(file.write(new Uint8Array(9999).fill(1)), withCode('/boot/a', 'ESP_FULL'));
  assert.equal(disk.stat('/boot/a')?.size, 3 * 512);
});

test('what was finished, and synced with its directory under its new name, survives every crash', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 1 << 30 }), async (seed) => {
      const disk = new MemoryDisk();
      disk.makeDirectory('/boot/EFI/Linux');
      await write(disk, '/boot/EFI/Linux/a.tmp', 'content');
      disk.rename('/boot/EFI/Linux/a.tmp', '/boot/EFI/Linux/a.efi');
      disk.syncDirectory('/boot/EFI/Linux');
      await disk.syncFile('/boot/EFI/Linux/a.efi');
      disk.crash(seed);
      assert.deepEqual([...disk.tree().keys()], ['/boot/EFI/Linux/a.efi']);
      assert.equal(textAt(disk, '/boot/EFI/Linux/a.efi'), 'content');
    }),
    { numRuns: 50 },
  );
});

test('without the barrier a crash may take the name, without finishing the content', async () => {
  const unsynced = async (): Promise<MemoryDisk> => {
    const disk = new MemoryDisk();
    await write(disk, '/boot/named', 'content');
    await (await disk.create('/boot/open')).write(text('content'));
    return disk;
  };
  const nothing = await unsynced();
  nothing.crash(KEEP_NOTHING);
  assert.equal(nothing.tree().size, 0);
  const all = await unsynced();
  all.crash(KEEP_ALL);
  assert.equal(textAt(all, '/boot/named'), 'content');
  const contents = new Set<string | undefined>();
  for (let seed = 2; seed < 60; seed++) {
    const disk = await unsynced();
    disk.crash(seed);
    contents.add(textAt(disk, '/boot/open'));
  }
  assert.deepEqual(contents, new Set([undefined, '', '\0'.repeat(7), 'content']));
});

test('replacing by rename may lose both names: old, new, an empty one, and none are all seen', async () => {
  const seen = new Set<string | undefined>();
  for (let seed = 0; seed < 60; seed++) {
    const disk = new MemoryDisk({ files: { '/boot/loader.conf': 'old' } });
    await write(disk, '/boot/tmp', 'new');
    disk.rename('/boot/tmp', '/boot/loader.conf');
    disk.crash(seed);
    seen.add(textAt(disk, '/boot/loader.conf'));
  }
  assert.deepEqual(seen, new Set(['old', 'new', '', undefined]));
});

test('a new name whose file was not synced is durable as that of an empty file', async () => {
  const renamed = async (): Promise<MemoryDisk> => {
    const disk = new MemoryDisk();
    await write(disk, '/boot/tmp', 'new');
    disk.rename('/boot/tmp', '/boot/name');
    disk.syncDirectory('/boot');
    assert.equal(textAt(disk, '/boot/name'), 'new');
    return disk;
  };
  const unsynced = await renamed();
  unsynced.crash(KEEP_NOTHING);
  assert.equal(textAt(unsynced, '/boot/name'), '');
  const synced = await renamed();
  await synced.syncFile('/boot/name');
  synced.crash(KEEP_NOTHING);
  assert.equal(textAt(synced, '/boot/name'), 'new');
});

test('overwriting one sector leaves the old bytes or the new ones, whenever the power fails', async () => {
  const seen = new Set<string | undefined>();
  for (let seed = 0; seed < 60; seed++) {
    const disk = new MemoryDisk({ files: { '/boot/loader.conf': 'old'.padEnd(512) } });
    disk.failPowerAt(seed % 2);
    await assert.rejects(disk.overwrite('/boot/loader.conf', text('new'.padEnd(512))), PowerLoss);
    disk.crash(seed);
    seen.add(textAt(disk, '/boot/loader.conf')?.trimEnd());
  }
  assert.deepEqual(seen, new Set(['old', 'new']));
});

test('overwriting more than a sector may leave some of each', async () => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const disk = new MemoryDisk({ files: { '/boot/f': new Uint8Array(1024).fill(1) } });
    disk.failPowerAt(0);
    await assert.rejects(disk.overwrite('/boot/f', new Uint8Array(1024).fill(2)), PowerLoss);
    disk.crash(seed);
    const bytes = disk.read('/boot/f', 1024);
    seen.add(`${bytes[0]}${bytes[512]}`);
  }
  assert.deepEqual([...seen].sort(), ['11', '12', '21', '22']);
});

test('a removed file that comes back holds foreign bytes once its clusters were given away', async () => {
  const disk = new MemoryDisk({ files: { '/boot/old': 'old content' } });
  disk.remove('/boot/old');
  await write(disk, '/boot/new', 'new content');
  disk.crash(KEEP_NOTHING);
  assert.notEqual(textAt(disk, '/boot/old'), 'old content');

  const careful = new MemoryDisk({ files: { '/boot/old': 'old content' } });
  careful.remove('/boot/old');
  careful.syncDirectory('/boot');
  await write(careful, '/boot/new', 'new content');
  careful.crash(KEEP_NOTHING);
  assert.equal(textAt(careful, '/boot/old'), undefined);
});

test('after the power failed nothing works until the next boot', async () => {
  const disk = new MemoryDisk();
  const file = await disk.create('/boot/a');
  disk.failPowerAt(0);
  await assert.rejects(file.write(text('x')), PowerLoss);
  await assert.rejects(file.finish(), PowerLoss);
  assert.throws(() => disk.list('/boot'), PowerLoss);
  assert.throws(() => disk.remove('/boot/a'), PowerLoss);
  await assert.rejects(disk.copy('/boot/a', '/boot/b'), PowerLoss);
  disk.crash(KEEP_NOTHING);
  assert.deepEqual(disk.list('/boot'), []);
});

test('what lies on the store survives every crash', async () => {
  const disk = new MemoryDisk();
  disk.makeDirectory('/var/cache');
  await disk.replaceText('/var/cache/digests.json', 'text');
  disk.crash(KEEP_NOTHING);
  assert.equal(textAt(disk, '/var/cache/digests.json'), 'text');
});

test('a faulty disk fails the one operation it was told to, and does not do it', async () => {
  const memory = new MemoryDisk();
  const disk = faultyDisk(memory, 1, new EspError('IO', 'bad sector'));
  const file = await disk.create('/boot/a');
  await assert.rejects(file.write(text('x')), /bad sector/);
  await file.write(text('y'));
  await file.finish();
  assert.equal(textAt(memory, '/boot/a'), 'y');
  assert.equal(disk.calls, 4);
});
