/** What boots, under real firmware, is what the installer was told to make boot. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import type { Guid } from '../../src/guid.ts';
import { LOADER } from '../../src/loader/efi-variables.ts';
import { NO_TIME, NON_VOLATILE, withVariables } from '../../src/secureboot/variable-store.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { bootImage } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import {
  assertBooted,
  bootDirectory,
  install,
  makeDisk,
  once,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'fdisk']);

suite('under OVMF', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-boot-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));

  test("uki: the profile's current generation is what boots from a disk image", {
    skip,
  }, async () => {
    const image = join(folder, 'disk.raw');
    makeDisk(image, 200 * 2 ** 20);
    install({ esp: image, isImage: true, world: world() });
    assert.match(run('fsck.fat', ['-n', espOf(image)]), /files/);
    assertBooted(await bootImage({ parts: theParts(), image }), '5');
  });

  test("type1: the profile's current generation is what boots", { skip }, async () => {
    const esp = join(folder, 'type1');
    install({ esp, world: world(), format: 'type1' });
    assertBooted(await bootDirectory(esp), '5');
  });

  for (const format of ['uki', 'type1'] as const) {
    test(`${format}: after a rollback, the generation rolled back to boots`, { skip }, async () => {
      const esp = join(folder, `${format}-back`);
      install({ esp, world: world(), format });
      install({ esp, world: world(), format, generation: 3 });
      assertBooted(await bootDirectory(esp), '3');
    });
  }

  test('uki: a pattern in an EFI variable boots the first of the menu, and what was rolled back to does not', {
    skip,
  }, async () => {
    const esp = join(folder, 'pattern');
    install({ esp, world: world() });
    install({ esp, world: world(), generation: 3 });
    const variables = join(folder, 'vars.fd');
    writeFileSync(variables, withDefault('nixos-*'));
    assertBooted(await bootDirectory(esp, { kind: 'off', variables }), '5');
  });

  test('uki: a specialisation chosen instead of the default boots as itself', {
    skip,
  }, async () => {
    const esp = join(folder, 'specialisation');
    install({ esp, world: world() });
    const conf = join(esp, 'loader/loader.conf');
    writeFileSync(conf, 'timeout 0\ndefault nixos-generation-2-specialisation-hardened-*\n');
    assertBooted(await bootDirectory(esp), '2-hardened');
  });

  for (const systemd of ['252', '262'] as const) {
    test(`uki: stub and loader of systemd ${systemd} boot what they should`, { skip }, async () => {
      const esp = join(folder, systemd);
      install({ esp, world: world(), systemd });
      assertBooted(await bootDirectory(esp), '5');
    });
  }
});

/** Firmware's variables, with a value of LoaderEntryDefault: `install` counts it as one that starts another entry. */
function withDefault(value: string): Uint8Array {
  const empty = readFileSync(theParts().ovmf.vars);
  const data = Buffer.from(`${value}\0`, 'utf16le');
  const named = { name: 'LoaderEntryDefault', vendor: LOADER as Guid } as const;
  const variable = { ...named, attributes: NON_VOLATILE, time: NO_TIME, data };
  return withVariables(empty, [variable], 'OVMF_VARS');
}

/** Copies the ESP, the second partition, out of a disk of {@link makeDisk}: fsck.fat takes no offset. */
function espOf(image: string): string {
  const esp = `${image}.esp`;
  writeFileSync(esp, readFileSync(image).subarray(2 * 2 ** 20, -(2 ** 20)));
  return esp;
}
