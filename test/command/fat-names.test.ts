/** An ESP that is mounted so that case counts, though FAT has one name for all cases: what is there is used. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { WritableDisk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { aMachine, type Machine } from './a-machine.ts';

/** A disk as vfat with iocharset=utf8: names are found by case alone, and no two differ by it alone. */
function utf8Disk(esp: string): Partial<WritableDisk> {
  const real = nodeDisk();
  const refuseTwin = (path: string) => {
    if (!path.startsWith(`${esp}/`) || fs.existsSync(path)) return;
    const [directory, name] = [dirname(path), basename(path).toLowerCase()];
    if (directory !== esp) refuseTwin(directory);
    if (!fs.existsSync(directory)) return;
    const twin = fs.readdirSync(directory).find((each) => each.toLowerCase() === name);
    if (twin !== undefined) throw new EspError('IO', `${path}: EEXIST`);
  };
  return {
    makeDirectory: (path, readers) => {
      refuseTwin(path);
      real.makeDirectory(path, readers);
    },
    create: (path, readers) => {
      refuseTwin(path);
      return real.create(path, readers);
    },
    copy: (from, to) => {
      refuseTwin(to);
      return real.copy(from, to);
    },
    rename: (from, to) => {
      refuseTwin(to);
      real.rename(from, to);
    },
  };
}

/** A machine whose ESP has these directories, mounted so that case counts. */
function aUtf8Machine(t: TestContext, ...directories: readonly string[]) {
  const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
  for (const path of directories) fs.mkdirSync(join(machine.esp, path), { recursive: true });
  const disk = utf8Disk(machine.esp);
  const run = (verb: string, ...args: readonly string[]) =>
    machine.runWith(
      { disk },
      ...[verb, ...machine.arguments(), '--allow-unsigned', '--quiet', ...args],
    );
  return { machine, run };
}

/** The paths of everything on an ESP. */
function everything(machine: Machine): string[] {
  return fs.readdirSync(machine.esp, { recursive: true, encoding: 'utf8' });
}

for (const format of ['uki', 'type1']) {
  for (const directories of [
    ['efi/boot', 'LOADER/Entries', 'efi/LINUX', 'efi/NIXOS'],
    ['EFI/LINUX', 'EFI/Boot', 'EFI/SYSTEMD', 'loader/ENTRIES'],
  ]) {
    test(`${format} entries are installed where ${directories.join(', ')} are there`, async (t) => {
      const { machine, run } = aUtf8Machine(t, ...directories);
      const first = await run('install', '--format', format);
      assert.equal(first.status, 0, first.error?.message ?? first.output);
      const lower = everything(machine).map((path) => path.toLowerCase());
      assert.equal(new Set(lower).size, lower.length);
      for (const path of directories) assert.ok(everything(machine).includes(path));
      const before = machine.tree();
      const again = await run('install', '--format', format, '--json');
      assert.deepEqual(JSON.parse(again.output).esps[0].changes, []);
      assert.deepEqual(machine.tree(), before);
      for (const verb of ['verify', 'status', 'list']) {
        const told = await run(verb, ...(verb === 'status' ? ['--format', format] : []));
        assert.equal(told.status, 0, told.output);
        assert.doesNotMatch(told.output, /no boot entries/);
      }
      assert.equal((await run('verify', '--deep')).status, 0);
      fs.rmSync(machine.link(1));
      assert.equal((await run('install', '--format', format)).status, 0);
      assert.equal(everything(machine).filter((path) => /generation-1-/.test(path)).length, 0);
    });
  }
}

test('a loader of ours in capitals is replaced under the name that it has', async (t) => {
  const { machine, run } = aUtf8Machine(t);
  assert.equal((await run('install')).status, 0);
  const loader = join(machine.esp, 'EFI/BOOT');
  fs.renameSync(join(loader, 'BOOTX64.EFI'), join(loader, 'bootx64.efi'));
  machine.brings('258');
  assert.equal((await run('install')).status, 0);
  assert.deepEqual(fs.readdirSync(loader), ['bootx64.efi']);
  assert.match(fs.readFileSync(join(loader, 'bootx64.efi'), 'latin1'), /systemd-boot 258/);
});
