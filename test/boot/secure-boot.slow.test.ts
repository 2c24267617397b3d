/** With Secure Boot enforcing, firmware and loader start what the installer signed, and nothing else. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { makeProofInitrd } from '../lab/initrd.ts';
import { makeKeys, placeEnrolment } from '../lab/keys.ts';
import { makeProfiles } from '../lab/profiles.ts';
import type { Boot } from '../lab/qemu.ts';
import {
  assertBooted,
  bootDirectory,
  install,
  once,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'openssl', 'efitools']);

suite('with Secure Boot enforcing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-secure-boot-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));
  const keys = once(() => makeKeys(join(folder, 'keys')));
  const signed = join(folder, 'signed');
  const variables = join(folder, 'vars.fd');
  const unsigned = once(() => {
    const esp = join(folder, 'unsigned');
    install({ esp, world: world() });
    return esp;
  });
  const enforcing = { kind: 'enforcing', variables } as const;

  test('keys enrolled by systemd-boot: the signed current generation boots', { skip }, async () => {
    placeEnrolment(keys(), signed);
    const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';
    install({ esp: signed, world: world(), keys: keys(), loaderConf });
    const boot = await bootDirectory(signed, { kind: 'enrol', save: variables });
    assertBooted(boot, '5');
    assert.equal(boot.proof?.secureBoot, true);
    assert.equal(boot.proof?.lockdown, 'integrity');
  });

  test('a signed image with one byte flipped does not boot', { skip }, async () => {
    const esp = copyOf('flipped');
    for (const path of imagesOf(esp)) flipByte(path);
    assertRefused(await bootDirectory(esp, enforcing));
  });

  test('an unsigned image does not boot, though the loader is signed', { skip }, async () => {
    const esp = copyOf('unsigned-images');
    for (const path of imagesOf(esp)) rmSync(path);
    cpSync(join(unsigned(), 'EFI/Linux'), join(esp, 'EFI/Linux'), { recursive: true });
    assertRefused(await bootDirectory(esp, enforcing));
  });

  test('an ESP installed without keys does not boot, not even its loader', { skip }, async () => {
    assertRefused(await bootDirectory(unsigned(), enforcing));
  });

  test('the signed image still boots on the machine that refused the others', {
    skip,
  }, async () => {
    const boot = await bootDirectory(copyOf('again'), enforcing);
    assertBooted(boot, '5');
    assert.equal(boot.proof?.secureBoot, true);
  });

  test('a kernel of ours with another initrd does not start, unless a person asked for its signature', {
    skip,
  }, async () => {
    const esp = join(folder, 'bare');
    install({ esp, world: world(), keys: keys(), format: 'type1' });
    const [kernel = ''] = readdirSync(join(esp, 'EFI/nixos')).filter((name) =>
      name.startsWith('kernel-'),
    );
    const bytes = readFileSync(join(esp, 'EFI/nixos', kernel));
    for (const image of imagesOf(signed)) {
      // Whoever takes the kernel out of an image has no other one than this.
      assert.ok(readFileSync(image).includes(bytes));
    }
    writeFileSync(join(esp, 'other.img'), makeProofInitrd(theParts(), 'another initrd'));
    const entry = `title Other\nlinux /EFI/nixos/${kernel}\ninitrd /other.img\noptions console=ttyS0\n`;
    writeFileSync(join(esp, 'loader/entries/other.conf'), entry);
    writeFileSync(join(esp, 'loader/loader.conf'), 'timeout 0\ndefault other.conf\n');
    assertRefused(await bootDirectory(esp, enforcing));
  });

  test('a type1 entry boots, because its kernel carries our signature', { skip }, async () => {
    const esp = join(folder, 'type1');
    install({ esp, world: world(), keys: keys(), format: 'type1', signKernels: true });
    const boot = await bootDirectory(esp, enforcing);
    assertBooted(boot, '5');
    assert.equal(boot.proof?.secureBoot, true);
  });

  function copyOf(name: string): string {
    const esp = join(folder, name);
    cpSync(signed, esp, { recursive: true });
    return esp;
  }
});

function imagesOf(esp: string): readonly string[] {
  const images = join(esp, 'EFI/Linux');
  return readdirSync(images).map((name) => join(images, name));
}

/** Flips one bit in the middle of a file, far from headers and signature. */
function flipByte(path: string): void {
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  writeFileSync(path, bytes);
}

/** A refusal is no proof line, and words that say who refused and why. */
function assertRefused(boot: Boot): void {
  assert.equal(boot.proof, undefined);
  assert.match(boot.console, /access denied|security violation/i);
}
