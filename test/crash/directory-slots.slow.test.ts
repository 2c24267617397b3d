/** Directories are large from the beginning, and have no gaps: on the kernel's own vfat, in a guest. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { theParts, whatIsMissing } from '../boot/installed.ts';
import { makeEmptyImage, makeEspImage } from '../lab/esp-image.ts';
import { runInGuest } from '../lab/guest.ts';
import { readFat } from './fat-image.ts';
import { checkImage } from './fsck.ts';
import { commandOf, membersOf } from './recording.ts';
import { makeWorld } from './scenario.ts';
import { smallPayload } from './world.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools']);
const SLOT = 32;

const scenario = {
  name: 'gap',
  about: 'one more generation',
  prepare: () => undefined,
  action: () => [],
};

suite('a directory whose middle was lost', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-gap-'));
  after(() => rmSync(folder, { recursive: true }));

  test('shows firmware everything again once the next run has installed', async () => {
    const world = await makeWorld(scenario, join(folder, 'world'), smallPayload());
    world.generation(1);
    world.run(['install', ...world.settings()]);
    world.generation(2);
    const image = join(folder, 'esp.img');
    makeEspImage(image, world.esp);
    const bytes = new Uint8Array(readFileSync(image));
    const gap = endOf(bytes, 'EFI/Linux');
    // Four slots that were never written; what vfat leaves of a name without its long part; another name.
    bytes.set(slotOf('NIXOS-~2EFI'), gap + 4 * SLOT);
    bytes.set(slotOf('OTHER   TXT'), gap + 5 * SLOT);
    writeFileSync(image, bytes);
    const command = commandOf({ action: () => ['install', ...world.settings()] }, world);
    const members = membersOf(world, await bundle(join(folder, 'espalier.mjs')));
    const listing = `ls /boot/EFI/Linux; ${command}`;
    const [ran] = await runInGuest({ parts: theParts(), image, members, commands: [listing] });
    assert.match(ran?.output ?? '', /nixos-~2\.efi/i, 'the kernel sees what lies behind the gap');
    assert.equal(ran?.status, 0, ran?.output);
    const seen = pathsOn(new Uint8Array(readFileSync(image)));
    for (const number of [1, 2]) {
      const isThere = seen.some((path) => path.includes(`/nixos-generation-${number}-`));
      assert.ok(isThere, `generation ${number} among ${seen.join(', ')}`);
    }
    assert.ok(seen.includes('EFI/Linux/OTHER.TXT'), seen.join(', '));
    assert.deepEqual(
      seen.filter((path) => /~|\.tmp$/i.test(path)),
      [],
    );
    assert.ok(checkImage(image).isClean);
  });
});

suite('a directory that the program writes to', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-slots-'));
  after(() => rmSync(folder, { recursive: true }));

  test('is of 16 KiB from the first run on, and does not grow with the next one', async () => {
    const world = await makeWorld(scenario, join(folder, 'world'), smallPayload());
    for (let number = 1; number <= 6; number++) world.generation(number);
    const image = join(folder, 'esp.img');
    makeEmptyImage(image, 64 << 20);
    const install = (limit: string) =>
      commandOf(
        { action: () => ['install', ...world.settings('--format', 'type1', '--limit', limit)] },
        world,
      );
    const sizes = 'ls -ldn $(find /boot -mindepth 2 -type d)';
    const ran = await runInGuest({
      parts: theParts(),
      image,
      members: membersOf(world, await bundle(join(folder, 'espalier.mjs'))),
      commands: [install('1'), sizes, install('0'), `find /boot -name '*.conf'; ${sizes}`],
    });
    for (const { status, output } of ran) assert.equal(status, 0, output);
    const [, first = '', , second = ''] = ran.map(({ output }) => output);
    assert.equal(second.match(/nixos-generation-\d-/g)?.length, 6, second);
    const expected = ['BOOT', 'nixos', 'systemd', 'entries'].map((name) => [name, 16384]);
    for (const listing of [first, second]) {
      const lines = listing.matchAll(/^d\S+ +\d+ +\d+ +\d+ +(\d+) .*\/(\w+)\r?$/gm);
      assert.deepEqual(
        Object.fromEntries([...lines].map(([, size, name]) => [name, Number(size)])),
        Object.fromEntries(expected),
        listing,
      );
    }
    assert.ok(checkImage(image).isClean);
  });
});

/** The paths that firmware sees: it reads a directory no further than its first slot that was never used. */
const pathsOn = (bytes: Uint8Array): string[] => readFat(bytes).files.map(({ path }) => path);

/** Returns where the first slot of a directory lies that was never used. */
function endOf(bytes: Uint8Array, directory: string): number {
  const { files, structure } = readFat(bytes);
  const names = files.filter(({ path }) => path.startsWith(`${directory}/`));
  assert.equal(names.length, 1);
  const short = new TextEncoder().encode('NIXOS-~1EFI');
  const starts = structure.map(({ start }) => start);
  const found = starts.flatMap((start) => {
    const at = Buffer.from(bytes.buffer, start, 512).indexOf(short);
    return at < 0 ? [] : [start + at + SLOT];
  });
  assert.equal(found.length, 1, 'one directory has it');
  return found[0] ?? 0;
}

/** Returns the slot of an empty file (FAT §Directory structure). */
function slotOf(name: string): Uint8Array {
  const slot = new Uint8Array(SLOT);
  slot.set(new TextEncoder().encode(name));
  slot[11] = 0x20;
  return slot;
}
