/** The kernel's own vfat keeps the promises that the FAT in memory makes in its name, and takes our own. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import fc from 'fast-check';
import { FatVolume } from '../../src/fat/volume.ts';
import { aFat, openFat } from '../fat/a-fat.ts';
import { memoryRegion } from '../fat/a-region.ts';
import { anyLife, isPlain, live, Model } from '../fat/life.ts';
import { memberFrom } from '../lab/cpio.ts';
import { runInGuest } from '../lab/guest.ts';
import { findParts } from '../lab/parts.ts';
import { missingTools } from '../lab/tools.ts';

/** Names of every kind of alias; of no more than nine that get the same one, where the kernel takes chance. */
const NAMES = [
  ...['BOOTX64.EFI', 'kernel.efi', 'loader.conf', 'entries.srel', 'Mixed.Efi', 'NOEXT', 'noext'],
  ...[
    'systemd-bootx64.efi',
    'systemd-bootaa64.efi',
    '.espalier-0-1.tmp',
    '.hidden',
    'ESPL0001.TMP',
  ],
  ...[
    'a+b,[c];=d',
    'two  blanks and.dots.in.it',
    'thirteen char',
    'x'.repeat(255),
    'a.b.c.d',
    'tail~1',
  ],
  ...[1, 2, 3, 4, 5].map((number) => `nixos-generation-${number}-abcdefghijklmnop.efi`),
];

/** Prints what lies on the mounted FAT, empties it, and gives it these names again. */
const LIST_AND_NAME = `
const fs = require('node:fs');
const list = (at) => fs.readdirSync(at, { withFileTypes: true }).flatMap((entry) => {
  const path = at + '/' + entry.name;
  return entry.isDirectory() ? list(path) : [[path, fs.readFileSync(path, 'utf8')]];
});
console.log(JSON.stringify(list('/boot').sort()));
for (const name of fs.readdirSync('/boot')) fs.rmSync('/boot/' + name, { recursive: true });
for (const name of ${JSON.stringify(NAMES)}) if (!fs.existsSync('/boot/' + name)) fs.writeFileSync('/boot/' + name, name);
`;

/** Makes a FAT of 512 KiB in which each name holds itself, at the top and in a directory. */
async function ours(): Promise<{ memory: Uint8Array; content: [string, string][] }> {
  const { disk, memory } = aFat(512 * 1024);
  disk.makeDirectory('/boot/EFI/Linux');
  const content: [string, string][] = [];
  for (const name of NAMES) {
    for (const path of [`/boot/${name}`, `/boot/EFI/Linux/${name}`]) {
      if (disk.stat(path) !== undefined) continue;
      const file = await disk.create(path);
      await file.write(Buffer.from(name));
      await file.finish();
      content.push([path, name]);
    }
  }
  disk.syncDirectory('/boot');
  return { memory, content: content.sort() };
}

/** Many lives one after the other, as one. Every name is one that the kernel takes without options. */
const LIFE = fc.sample(anyLife, { seed: 4, numRuns: 12 }).flat().filter(isPlain);

/** Returns every file of an image by its path, read by our own FAT. */
function filesOn(memory: Uint8Array): readonly (readonly [string, string])[] {
  const { disk } = openFat(memory, { access: 'read' });
  const below = (path: string): readonly (readonly [string, string])[] =>
    (disk.list(path) ?? []).flatMap(({ name, kind }) => {
      const at = `${path}/${name}`;
      if (kind === 'directory') return below(at);
      return [[at, Buffer.from(disk.read(at, 2 ** 20)).toString('hex')] as const];
    });
  return [...below('/boot')].sort();
}

/** Returns the aliases of the names at the top. */
function aliasesOf(memory: Uint8Array): Record<string, string> {
  const region = memoryRegion(memory);
  const { root } = new FatVolume({ region, name: 'an image', access: 'read' });
  const named = root.entries.filter(({ size }) => size > 0);
  return Object.fromEntries(named.map(({ name, alias }) => [name, alias]));
}

test('the disk contract holds on a FAT of ours in a virtual machine, and both name alike', async (t) => {
  const parts = findParts();
  const missing = missingTools(['qemu-system-x86']);
  if (parts === undefined) return t.skip('needs the parts of the lab');
  if (missing.length > 0) return t.skip(`needs ${missing.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'espalier-vfat-'));
  try {
    const script = join(folder, 'contract.cjs');
    const entry = join(import.meta.dirname, '../support/vfat-contract.ts');
    await build({ entryPoints: [entry], outfile: script, bundle: true, platform: 'node' });
    const names = join(folder, 'names.cjs');
    writeFileSync(names, LIST_AND_NAME);
    const image = join(folder, 'esp.img');
    const { memory, content } = await ours();
    writeFileSync(image, memory);
    const [second, lived] = [join(folder, 'second.img'), aFat(4 * 2 ** 20)];
    writeFileSync(second, lived.memory);
    const model = new Model();
    for (const step of LIFE) await live(step, lived.disk, model);
    writeFileSync(join(folder, 'life.json'), JSON.stringify(LIFE));
    const life = join(folder, 'life.mjs');
    const life2 = join(import.meta.dirname, '../support/vfat-life.ts');
    await build({
      ...{ entryPoints: [life2], outfile: life, bundle: true, platform: 'node', format: 'esm' },
    });
    const members = [
      ...[memberFrom('contract.cjs', script), memberFrom('names.cjs', names)],
      ...[memberFrom('life.mjs', life), memberFrom('life.json', join(folder, 'life.json'))],
    ];
    // Then again with masks under which FAT's read-only attribute sticks.
    const again = 'node --test-name-pattern=read-only /contract.cjs';
    const commands = [
      'node /names.cjs',
      'node /contract.cjs',
      // Then with the option under which case counts, where the kernel has it.
      'umount /boot; mount -t vfat -o iocharset=utf8 /dev/vda /boot && node --test-name-pattern=whatever /contract.cjs',
      ...['fmask=0133', 'fmask=0111'].map(
        (mask) => `umount /boot; mount -t vfat -o ${mask} /dev/vda /boot && ${again}`,
      ),
      'rm -rf /boot/* /boot/.[a-z]*; node /names.cjs',
      'umount /boot; mount -t vfat -o umask=0077 /dev/vdb /boot && node /life.mjs',
    ];
    const [listed, ...ran] = await runInGuest({
      ...{ parts, image, more: [second], members, commands, limit: 240 },
    });
    assert.deepEqual(JSON.parse(listed?.output.split('\n')[0] ?? ''), content);
    const lives = ran.pop();
    assert.equal(lives?.status, 0, lives?.output);
    assert.equal(ran.pop()?.status, 0);
    for (const { status, output } of ran) {
      assert.equal(status, 0, output);
      assert.match(output, /^ℹ pass [1-9]/m);
    }
    const theirs = filesOn(new Uint8Array(readFileSync(second)));
    assert.deepEqual(theirs, filesOn(lived.memory));
    assert.ok(model.files.size > 10 && theirs.length === model.files.size);
    assert.deepEqual(aliasesOf(new Uint8Array(readFileSync(image))), aliasesOf(memory));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
