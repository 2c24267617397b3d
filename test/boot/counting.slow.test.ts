/** Under real firmware: an entry that never comes up is tried as often as it may be, then another boots. */
import assert from 'node:assert/strict';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bootTool, bootToolMembers, hasBootTools } from '../lab/boot-tools.ts';
import { memberOf } from '../lab/cpio.ts';
import { copyOff, makeEspImage } from '../lab/esp-image.ts';
import { runInGuest } from '../lab/guest.ts';
import { type DemoWorld, makeProfiles } from '../lab/profiles.ts';
import { bootImage } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import { assertBooted, bootDirectory, install, theParts, whatIsMissing } from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools']);

const quiet = { MTOOLS_SKIP_CHECK: '1' };

/**
 * Before 260 the entry has to come first in the menu by itself; since then it may be any. Since 258 the
 * loader starts the machine anew by itself, before that somebody has to.
 */
const CASES = [
  { format: 'uki', systemd: '257', directory: 'EFI/Linux', target: 5, other: 3, starts: 4 },
  { format: 'shared', systemd: '262', directory: 'loader/entries', target: 3, other: 5, starts: 1 },
] as const;

suite('counted entries under OVMF', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-counting-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const { format, systemd, directory, target, other, starts } of CASES) {
    const about = `${format}, systemd-boot ${systemd}`;
    test(`${about}: three failed tries, then the newest that is not bad`, { skip }, async () => {
      const esp = join(folder, format);
      const image = `${esp}.img`;
      const world = makeProfiles(join(folder, `${format}-world`), theParts());
      breakKernel(world, target);
      install({ esp, world, format, systemd, generation: target, bootCounting: 3 });
      makeEspImage(image, esp);
      const boot = () => bootImage({ parts: theParts(), image, restarts: starts === 1 });
      assert.equal(counterOf(target, image, directory), '+3');
      for (const counter of ['+2-1', '+1-2', '+0-3'].slice(0, starts - 1)) {
        assert.equal((await boot()).proof, undefined);
        assert.equal(counterOf(target, image, directory), counter);
      }
      assertBooted(await boot(), `${other}`);
      assert.equal(counterOf(target, image, directory), '+0-3');
      // It says that it is up and switches off: it is never blessed.
      assert.equal(counterOf(other, image, directory), '+2-1');
    });
  }

  test('systemd-boot 252 boots the right one, though it knows no preferred entry', {
    skip,
  }, async () => {
    const esp = join(folder, '252');
    const world = makeProfiles(join(folder, 'world'), theParts());
    install({ esp, world, systemd: '252', bootCounting: 3 });
    assertBooted(await bootDirectory(esp), '5');
  });
});

suite('systemd-bless-boot on a mounted ESP', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bless-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('marks an entry of ours, and the next run takes its word for it', {
    skip: skip || (!hasBootTools() && 'SKIPPED, missing parts: node test/lab/fetch.ts'),
  }, async () => {
    const parts = theParts();
    const world = makeProfiles(join(folder, 'world'), parts);
    const [esp, image] = [join(folder, 'esp'), join(folder, 'esp.img')];
    install({ esp, world, bootCounting: 3 });
    const path = recount(esp, 5, '+2-1');
    makeEspImage(image, esp);
    const bless = `SYSTEMD_RELAX_ESP_CHECKS=1 ${bootTool('systemd-bless-boot').join(' ')} --path=/boot`;
    const list = 'ls /boot/EFI/Linux';
    const variable = 'LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
    const ran = await runInGuest({
      parts,
      image,
      members: [
        ...bootToolMembers(),
        { ...memberOf('variable', ''), content: efiText(`\\${path.replaceAll('/', '\\')}`) },
      ],
      commands: [
        `mount -t tmpfs none /sys/firmware; mkdir -p /sys/firmware/efi/efivars; cp /variable /sys/firmware/efi/efivars/${variable}`,
        `${bless} status`,
        ...['bad', 'indeterminate', 'good'].map((verb) => `${bless} ${verb}; ${list}`),
        `${bless} status`,
      ],
    });
    const outputs = ran.map(({ output }) => output);
    const counters = outputs.map((output) => counterIn(5, output));
    assert.deepEqual(counters.slice(2, 5), ['+0-1', '+2-1', ''], outputs.join('\n'));
    assert.match(outputs[1] ?? '', /indeterminate/);
    assert.match(outputs[5] ?? '', /good|clean/);
    const written = join(folder, 'written');
    copyOff(image, written);
    install({ esp: written, world, bootCounting: 3 });
    const names = readdirSync(join(written, 'EFI/Linux'));
    assert.equal(counterIn(5, names.join('\n')), '');
    assert.equal(names.filter((name) => name.includes('-generation-5-')).length, 1);
  });
});

/** Gives a generation a kernel that firmware starts, and that gives up at once: a stub with nothing inside. */
function breakKernel({ root, generations }: DemoWorld, generation: number): void {
  const toplevel = generations.find(({ number }) => number === generation)?.toplevel ?? '';
  const kernel = join(root, 'nix/store', `${'b'.repeat(32)}-linux-broken`);
  copyFileSync(theParts().stub[257], kernel);
  const link = join(toplevel, 'kernel');
  const whole = readlinkSync(link);
  rmSync(link);
  symlinkSync(kernel, link);
  const document = join(toplevel, 'boot.json');
  if (!existsSync(document)) return;
  writeFileSync(document, readFileSync(document, 'utf8').replaceAll(whole, kernel));
}

/** Returns the counter of a generation's entry as its name on an image has it. */
function counterOf(generation: number, image: string, directory: string): string | undefined {
  const path = `::/${directory}`;
  return counterIn(generation, run('mdir', ['-i', image, '-b', path], { env: quiet }));
}

/** Returns the counter of a generation's entry in a list of names, one a line. */
function counterIn(generation: number, names: string): string | undefined {
  const entry = new RegExp(
    `nixos-generation-${generation}-[a-z2-7]{52}(.*)\\.(?:efi|conf)\\r?$`,
    'm',
  );
  return entry.exec(names)?.[1];
}

/** Gives the image of a generation another counter, as systemd-boot does, and returns its path. */
function recount(esp: string, generation: number, counter: string): string {
  const names = readdirSync(join(esp, 'EFI/Linux'));
  const name = names.find((other) => other.includes(`-generation-${generation}-`)) ?? '';
  const path = `EFI/Linux/${name.replace(/\+.*(?=\.)/, counter)}`;
  renameSync(join(esp, 'EFI/Linux', name), join(esp, path));
  return path;
}

/** Returns an EFI variable as efivarfs shows it: attributes, then UTF-16. */
function efiText(text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(6, 0, 0, 0), Buffer.from(`${text}\0`, 'utf16le')]);
}
