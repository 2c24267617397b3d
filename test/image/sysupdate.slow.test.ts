/** What --split writes is what systemd-sysupdate takes, by the definitions of docs/images.md. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../lab/run.ts';
import { hasSysupdate, sysupdate } from '../lab/sysupdate.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { anExample, buildExample, extracted, page, tableOf } from './an-example.ts';

const missing = missingTools(['cryptsetup-bin', 'fdisk', 'erofs-utils']);
const skip = hasSysupdate()
  ? missing.length > 0 && `install it: ${installCommand(missing)}`
  : 'SKIPPED, missing parts: node test/lab/fetch.ts';

test('systemd-sysupdate sees a new version, and puts it into the empty slot', {
  skip,
}, async (t) => {
  const example = anExample(t, 'appliance_1.toml');
  const { at, put } = example;
  await buildExample(example, 'appliance_1.toml');
  assert.ok(fs.existsSync(at('appliance_1.efi')));
  put('rootfs/usr/large', new Uint8Array(30_000).fill(8));
  run('tar', ['-C', at('rootfs'), '-cf', at('rootfs.tar'), '.']);
  put('second/two.toml', second(example.text));
  const rows = await buildExample(example, 'second/two.toml');
  const hash = rows.find(({ roothash }) => roothash !== null)?.roothash ?? '';

  const work = aMachine(at);
  assert.match(sysupdate(work, 'list'), /2\s.*candidate/);
  sysupdate(work, 'update');
  const disk = join(work, 'disk.raw');
  run('sfdisk', ['--verify', disk]);
  const table = tableOf(disk);
  assert.deepEqual(
    table.map(({ name }) => name),
    ['esp', 'appliance_1', 'appliance_1_verity', 'appliance_2', 'appliance_2_verity'],
  );
  assert.equal([3, 4].map((index) => table[index]?.uuid.replaceAll('-', '')).join(''), hash);
  const [data = '', tree = ''] = [3, 4].map((index) => extracted(disk, index));
  run('veritysetup', ['verify', data, tree, hash]);
  run('fsck.erofs', [data]);
  const menu = fs.readdirSync(join(work, 'esp/EFI/Linux')).sort();
  assert.deepEqual(menu, ['appliance_1.efi', 'appliance_2+3-0.efi']);
  const uki = fs.readFileSync(join(work, 'esp/EFI/Linux/appliance_2+3-0.efi'));
  assert.ok(uki.equals(fs.readFileSync(at('second/appliance_2.efi'))));
  assert.match(sysupdate(work, 'list'), /2\s.*current/);
});

/** The description of the next version: its files lie elsewhere. */
function second(text: string): string {
  return text
    .replaceAll('appliance_1', 'appliance_2')
    .replace('IMAGE_VERSION=1', 'IMAGE_VERSION=2')
    .replaceAll(/^((?:linux|initrd|systemd) = ")/gm, '$1../')
    .replace('"rootfs.tar"', '"../rootfs.tar"');
}

/** A machine with the first version, and the files of the second in a directory. */
function aMachine(at: (path: string) => string): string {
  const work = at('work');
  for (const directory of ['sysupdate.d', 'updates', 'esp/EFI/Linux']) {
    fs.mkdirSync(join(work, directory), { recursive: true });
  }
  fs.copyFileSync(at('appliance_1.raw'), join(work, 'disk.raw'));
  fs.copyFileSync(at('appliance_1.efi'), join(work, 'esp/EFI/Linux/appliance_1.efi'));
  for (const name of fs.readdirSync(at('second'))) {
    if (/_2\..*\.raw$|\.efi$/.test(name))
      fs.copyFileSync(at(`second/${name}`), join(work, 'updates', name));
  }
  for (const [, name = '', text = ''] of page.matchAll(
    /```ini\n# \S+\/(\S+\.transfer)\n(.*?)```/gs,
  )) {
    // The disk is that of the machine which runs, and this one is a file.
    const here = text.replace('Path=auto', 'Path=/work/disk.raw').replace('/var/lib/', '/work/');
    fs.writeFileSync(join(work, 'sysupdate.d', name), here);
  }
  return work;
}
