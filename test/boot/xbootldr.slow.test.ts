/** Under real firmware, from a disk with both partitions: the loader on the ESP boots what is on XBOOTLDR. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { copyOff, makeEspImage } from '../lab/esp-image.ts';
import { makeGptDisk } from '../lab/gpt-disk.ts';
import { makeKeys, placeEnrolment } from '../lab/keys.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { type Boot, bootImage, type SecureBoot } from '../lab/qemu.ts';
import { assertBooted, install, once, theParts, whatIsMissing } from './installed.ts';

const tools = ['qemu-system-x86', 'mtools', 'dosfstools', 'fdisk', 'openssl', 'efitools'] as const;
const skip = whatIsMissing(tools);

/** The files of ours in a directory that are no part of the loader. */
function payload(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /^(EFI\/(Linux|nixos)|loader\/entries)\/[^/]+$/.test(path),
  );
}

suite('from XBOOTLDR, under OVMF', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-xbootldr-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));

  /** Two directories for the partitions, and a boot from a disk that has them. */
  function aDisk(name: string) {
    const [esp, xbootldr] = [join(folder, name, 'esp'), join(folder, name, 'xbootldr')];
    for (const directory of [esp, xbootldr]) mkdirSync(directory, { recursive: true });
    const boot = (secureBoot: SecureBoot = { kind: 'off' }): Promise<Boot> => {
      const image = join(folder, name, 'disk.img');
      for (const directory of [esp, xbootldr]) makeEspImage(`${directory}.img`, directory);
      makeGptDisk(image, [
        { type: 'esp', content: `${esp}.img` },
        { type: 'xbootldr', content: `${xbootldr}.img` },
      ]);
      return bootImage({ parts: theParts(), image, secureBoot });
    };
    return { esp, xbootldr, boot };
  }

  for (const [format, systemd] of [
    ['uki', '252'],
    ['type1', '262'],
  ] as const) {
    test(`${format}, systemd-boot ${systemd}: after a rollback, the images hold what was installed, and it boots`, {
      skip,
    }, async () => {
      const name = `${format}-${systemd}`;
      const { esp, xbootldr, boot } = aDisk(name);
      install({ esp, xbootldr, world: world(), format, systemd });
      install({ esp, xbootldr, world: world(), format, systemd, generation: 3 });
      assertBooted(await boot(), '3');
      const read = join(folder, `${name}-read`);
      copyOff(`${xbootldr}.img`, read);
      assert.deepEqual(payload(read).sort(), payload(xbootldr).sort());
      const onEsp = join(folder, `${name}-read-esp`);
      copyOff(`${esp}.img`, onEsp);
      assert.deepEqual(payload(onEsp), []);
    });
  }

  test('in the middle of a move, with every entry on both, the one to boot next boots', {
    skip,
  }, async () => {
    const { esp, xbootldr, boot } = aDisk('both');
    install({ esp, world: world(), generation: 3 });
    const before = join(folder, 'before');
    cpSync(join(esp, 'EFI/Linux'), before, { recursive: true });
    install({ esp, xbootldr, world: world(), generation: 3 });
    cpSync(before, join(esp, 'EFI/Linux'), { recursive: true });
    assertBooted(await boot(), '3');
  });

  test('entries that went back to the ESP boot from there', { skip }, async () => {
    const { esp, xbootldr, boot } = aDisk('back');
    install({ esp, xbootldr, world: world() });
    install({ esp, formerXbootldr: xbootldr, world: world() });
    assert.deepEqual(payload(xbootldr), []);
    assertBooted(await boot(), '5');
  });

  test('with Secure Boot enforcing, what is signed boots from there', { skip }, async () => {
    const { esp, xbootldr, boot } = aDisk('signed');
    const keys = makeKeys(join(folder, 'keys'));
    placeEnrolment(keys, esp);
    const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';
    install({ esp, xbootldr, world: world(), keys, loaderConf });
    assert.deepEqual(payload(esp), []);
    const booted = await boot({ kind: 'enrol', save: join(folder, 'vars.fd') });
    assertBooted(booted, '5');
    assert.equal(booted.proof?.secureBoot, true);
  });
});
