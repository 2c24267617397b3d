import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { apply } from '../../src/transaction/apply.ts';
import { faultyDisk } from '../support/faulty-disk.ts';
import { type MemoryDisk, PowerLoss } from '../support/memory-disk.ts';
import { aPlan, aSite, files, onPhase, overwrite, remove, replace, text, write } from './a-site.ts';

const SECTOR = 'default b\n'.padEnd(512, '\n');

/** A plan with a bit of everything. */
const everything = aPlan(
  ['sweep', remove('EFI/nixos/.espalier-1-1.tmp')],
  ['put', write('EFI/nixos/kernel', text('kernel')), write('EFI/nixos/initrd', text('initrd'))],
  ['publish', write('loader/entries/b.conf', text('b'))],
  ['loader', replace('EFI/systemd/x.efi', text('loader 2'))],
  ['loader', replace('EFI/BOOT/x.efi', text('loader 2'))],
  ['default', overwrite('loader/loader.conf', SECTOR)],
  ['remove-entries', remove('loader/entries/a.conf', 1)],
  ['remove-blobs', remove('EFI/nixos/old', 3)],
);

const start = {
  '/boot/EFI/nixos/.espalier-1-1.tmp': 'half',
  '/boot/EFI/nixos/old': 'old',
  '/boot/EFI/systemd/x.efi': 'loader 1',
  '/boot/EFI/BOOT/x.efi': 'loader 1',
  '/boot/loader/loader.conf': 'default a\n'.padEnd(512, '\n'),
  '/boot/loader/entries/a.conf': 'a',
};

describe('a plan that is carried out', () => {
  test('leaves what it says, and no temporary file', async () => {
    const { disk, site } = aSite({ files: start });
    await apply(everything, site);
    assert.deepEqual(files(disk), {
      'EFI/BOOT/x.efi': 'loader 2',
      'EFI/nixos/initrd': 'initrd',
      'EFI/nixos/kernel': 'kernel',
      'EFI/systemd/x.efi': 'loader 2',
      'loader/entries/b.conf': 'b',
      'loader/loader.conf': SECTOR,
    });
  });

  test('is durable when it is done, however the platter then looks', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const { disk, site } = aSite({ files: start });
      await apply(everything, site);
      const done = files(disk);
      disk.crash(seed);
      assert.deepEqual(files(disk), done);
    }
  });

  test('syncs a file that replaces another before its directory, and a new name after it', async () => {
    const { disk, site } = aSite({ files: start });
    const synced: string[] = [];
    const telling = {
      ...faultyDisk(disk, Number.POSITIVE_INFINITY, new Error('never')),
      syncFile: (path: string) => void synced.push(path),
      syncDirectory: (path: string) => void synced.push(path),
    };
    const plan = aPlan(
      ['publish', write('loader/entries/b.conf', text('b'))],
      ['loader', replace('EFI/BOOT/x.efi', text('loader 2'))],
    );
    await apply(plan, { ...site, disk: telling });
    assert.deepEqual(synced, [
      ...['/boot/loader/entries', '/boot/loader/entries/b.conf'],
      ...['/boot/EFI/BOOT/x.efi', '/boot/EFI/BOOT'],
    ]);
  });

  test('is reported step by step, with sizes and reasons', async () => {
    const { site } = aSite({ files: start });
    const { changes, written } = await apply(everything, site);
    assert.deepEqual(
      changes.map(({ phase, kind, path, size }) => [phase, kind, path, size]),
      everything.phases.flatMap(({ name, steps }) =>
        steps.map(({ kind, path, size }) => [
          name,
          kind === 'remove' ? 'removed' : 'written',
          path,
          size,
        ]),
      ),
    );
    assert.equal(written, 6 + 6 + 1 + 8 + 8 + 512);
    assert.equal(changes[0]?.because, 'no entry names it');
  });

  test('without phases touches nothing', async () => {
    const { disk, site } = aSite();
    assert.deepEqual(await apply(aPlan(), site), { changes: [], written: 0 });
    assert.equal(disk.operations, 0);
  });

  test('makes the directories that it needs', async () => {
    const { disk, site } = aSite();
    await apply(aPlan(['put', write('EFI/nixos/kernel', text('k'))]), site);
    assert.deepEqual(files(disk), { 'EFI/nixos/kernel': 'k' });
  });

  test('removes what is gone already, and syncs no directory that never was', async () => {
    const { disk, site } = aSite();
    await apply(aPlan(['remove-blobs', remove('EFI/nixos/kernel')]), site);
    assert.deepEqual(files(disk), {});
  });

  test('tells each phase before it begins', async () => {
    const names: string[] = [];
    const done = { bytes: 0, files: 0 };
    const progress = {
      begin: (what: string) => void names.push(what),
      advance(bytes: number, count = 0) {
        done.bytes += bytes;
        done.files += count;
      },
    };
    const { changes, written } = await apply(
      everything,
      aSite({ files: start }, { progress }).site,
    );
    assert.deepEqual(
      names,
      everything.phases.map(({ name }) => `/boot: ${name}`),
    );
    // What is overwritten in place is one sector, for which nobody waits.
    const inPlace = changes.filter(({ phase }) => phase === 'default');
    assert.equal(
      done.files,
      changes.filter(({ kind }) => kind === 'written').length - inPlace.length,
    );
    assert.equal(done.bytes, written - inPlace.reduce((sum, { size }) => sum + size, 0));
  });

  test('ends between two phases when it is told to, with what it did until then', async () => {
    const controller = new AbortController();
    const progress = onPhase((name) => name === 'publish' && controller.abort());
    const { disk, site } = aSite({ files: start }, { progress, signal: controller.signal });
    const { changes } = await apply(everything, site);
    assert.deepEqual(
      changes.map(({ phase }) => phase),
      ['sweep', 'put', 'put', 'publish'],
    );
    assert.equal(files(disk)['EFI/nixos/old'], 'old');
  });
});

/** Carries out everything until power is lost in the first change behind a phase. */
async function powerLostAfter(index: number, seed: number): Promise<MemoryDisk> {
  let phases = 0;
  const { disk, site } = aSite({ files: start });
  const progress = onPhase(() => {
    if (phases++ === index + 1) disk.failPowerAt(0);
  });
  await assert.rejects(apply(everything, { ...site, progress }), PowerLoss);
  disk.crash(seed);
  return disk;
}

describe('power', () => {
  test('lost after a phase has begun costs nothing of the phases before it', async () => {
    // What each phase but the last leaves behind; undefined for what it removes.
    const states: readonly (readonly [path: string, content: string | undefined])[] = [
      ['EFI/nixos/.espalier-1-1.tmp', undefined],
      ['EFI/nixos/kernel', 'kernel'],
      ['loader/entries/b.conf', 'b'],
      ['EFI/systemd/x.efi', 'loader 2'],
      ['EFI/BOOT/x.efi', 'loader 2'],
      ['loader/loader.conf', SECTOR],
      ['loader/entries/a.conf', undefined],
    ];
    for (const [index] of states.entries()) {
      for (const seed of [0, 1, 2, 3]) {
        const found = files(await powerLostAfter(index, seed));
        for (const [path, content] of states.slice(0, index + 1)) {
          assert.equal(found[path], content, `${path}, phase ${index}, seed ${seed}`);
        }
      }
    }
  });

  test('never takes both copies of the loader', async () => {
    for (let failAt = 0; ; failAt++) {
      const { disk, site } = aSite({ files: start });
      disk.failPowerAt(failAt);
      const done = await apply(everything, site).then(
        () => true,
        () => false,
      );
      if (done) break;
      for (const seed of [failAt, failAt + 100]) disk.crash(seed);
      const { 'EFI/systemd/x.efi': first, 'EFI/BOOT/x.efi': second } = files(disk);
      const whole = [first, second].filter((content) => /^loader [12]$/.test(content ?? ''));
      assert.notDeepEqual(whole, [], `operation ${failAt}`);
    }
  });
});

describe('what goes wrong', () => {
  test('a write that fails leaves what was there, and no temporary file', async () => {
    const plan = aPlan([
      'put',
      write('EFI/nixos/new', text('new')),
      write('EFI/nixos/old', text('x')),
    ]);
    for (let failAt = 0; failAt < 6; failAt++) {
      const { disk, site } = aSite({ files: { '/boot/EFI/nixos/old': 'old' } });
      const faulty = faultyDisk(disk, failAt, new EspError('IO', 'bad sector'));
      await assert.rejects(apply(plan, { ...site, disk: faulty }), /bad sector/);
      assert.deepEqual(files(disk), { 'EFI/nixos/old': 'old' }, `operation ${failAt}`);
    }
  });

  test('a disk that is full leaves what was there, and its space', async () => {
    const { disk, site } = aSite({ capacity: 64 * 512, files: { '/boot/EFI/nixos/old': 'old' } });
    const free = disk.fileSystem('/boot')?.free ?? 0;
    const plan = aPlan([
      'put',
      ...[1, 2, 3].map((n) => write(`EFI/nixos/${n}`, text('x'.repeat(15_000)))),
    ]);
    await assert.rejects(apply(plan, site), { code: 'ESP_FULL' });
    assert.deepEqual(files(disk), { 'EFI/nixos/old': 'old' });
    assert.ok((disk.fileSystem('/boot')?.free ?? 0) >= free - 512, 'a directory may have grown');
  });

  test('what failed first is told, even if its remains cannot be removed', async () => {
    const { disk, site } = aSite();
    const dead = Object.assign(faultyDisk(disk, 3, new EspError('ESP_FULL', 'no room')), {
      remove: () => {
        throw new EspError('IO', 'nor can it be removed');
      },
    });
    const plan = aPlan(['put', write('EFI/nixos/a', text('a'))]);
    await assert.rejects(apply(plan, { ...site, disk: dead }), { code: 'ESP_FULL' });
  });

  test('an ESP that is unmounted meanwhile is no ESP any more', async () => {
    const { disk, site } = aSite({ files: { '/mnt/x': 'x' } });
    const away = { ...site, mounted: new Map([['/boot', disk.stat('/mnt')]]) };
    await assert.rejects(apply(everything, away), { code: 'ESP_NOT_MOUNTED' });
    assert.deepEqual(files(disk), {});
  });

  test('what an earlier phase did stays when a later one fails', async () => {
    const { disk, site } = aSite({ files: start });
    const failing = {
      ...site,
      disk: faultyDisk(disk, 9, new EspError('IO', 'bad sector')),
    };
    await assert.rejects(apply(everything, failing), /bad sector/);
    assert.equal(files(disk)['loader/entries/a.conf'], 'a');
    assert.equal(files(disk)['EFI/nixos/.espalier-1-1.tmp'], undefined);
  });

  test('a file of another size than planned gets no name', async () => {
    const { disk, site } = aSite({ files: { '/nix/store/k': 'kernel' } });
    const step = write('EFI/nixos/kernel', { kind: 'file', path: '/nix/store/k' }, 7);
    await assert.rejects(apply(aPlan(['put', step]), site), {
      code: 'SHORT_WRITE',
      message: 'EFI/nixos/kernel: wrote 6 of 7 bytes',
    });
    assert.deepEqual(files(disk), {});
  });

  test('a name that is a directory is no file that could be written', async () => {
    const { disk, site } = aSite({ files: { '/boot/EFI/nixos/kernel/x': 'x' } });
    await assert.rejects(apply(aPlan(['put', write('EFI/nixos/kernel', text('k'))]), site), {
      code: 'IO',
    });
    assert.equal(files(disk)['EFI/nixos/kernel/x'], 'x');
  });
});
