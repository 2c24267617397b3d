/** Thin images on lanzaboote's own stub, which `LZBT_STUB` names: they boot, and what was tampered with does not. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { aProfiles } from '../generation/a-generation.ts';
import { makeKeys, placeEnrolment } from '../lab/keys.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { emulated, type SecureBoot } from '../lab/qemu.ts';
import { peerStub, whyNoStub } from '../lzbt/peer.ts';
import {
  assertBooted,
  bootDirectory,
  install,
  once,
  theParts,
  whatIsMissing,
} from './installed.ts';

const stub = peerStub() ?? '';
const skip =
  whyNoStub() || whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'openssl', 'efitools']);

suite('a thin image on the stub of lanzaboote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-thin-boot-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));
  const plain = once(() => {
    const esp = join(folder, 'plain');
    install({ esp, world: world(), format: 'thin', stub });
    return esp;
  });
  const variables = join(folder, 'vars.fd');
  const enforcing = { kind: 'enforcing', variables } as const;
  const signed = join(folder, 'signed');

  test('boots the current generation', { skip }, async () => {
    assertBooted(await bootDirectory(plain()), '5');
  });

  for (const kind of ['kernel', 'initrd'] as const) {
    test(`does not boot when one bit of its ${kind} was flipped`, { skip }, async () => {
      await assertRefused(tampered(plain(), kind), kind);
    });
  }

  test('starts the kernel of a system without an initrd', { skip }, async () => {
    const root = join(folder, 'bare');
    const kernel = readFileSync(theParts().kernel);
    const kernelParams = ['console=ttyS0', 'quiet', 'panic=1', ...emulated];
    const bare = { kernel, kernelParams, initrd: null };
    const profiles = aProfiles(root, [{ bootJson: '{' }, bare]);
    const esp = join(folder, 'bare-esp');
    install({ esp, world: { root, profiles, generations: [] }, format: 'thin', stub });
    const { console } = await bootDirectory(esp);
    assert.match(console, /VFS: Unable to mount root fs/);
  });

  test('boots with Secure Boot enforcing, locked down', { skip }, async () => {
    const keys = makeKeys(join(folder, 'keys'));
    placeEnrolment(keys, signed);
    const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';
    install({ esp: signed, world: world(), format: 'thin', stub, keys, loaderConf });
    const boot = await bootDirectory(signed, { kind: 'enrol', save: variables });
    assertBooted(boot, '5');
    assert.equal(boot.proof?.secureBoot, true);
    assert.equal(boot.proof?.lockdown, 'integrity');
  });

  test('does not boot with Secure Boot and an initrd that was tampered with', {
    skip,
  }, async () => {
    await assertRefused(tampered(signed, 'initrd'), 'initrd', enforcing);
  });

  /** Returns a copy of an ESP with one bit flipped in the middle of every kernel or initrd. */
  function tampered(source: string, kind: 'kernel' | 'initrd'): string {
    const esp = mkdtempSync(`${source}-${kind}-`);
    cpSync(source, esp, { recursive: true });
    const payloads = join(esp, 'EFI/nixos');
    for (const name of readdirSync(payloads).filter((each) => each.startsWith(`${kind}-`))) {
      const path = join(payloads, name);
      const bytes = readFileSync(path);
      const middle = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
      writeFileSync(path, bytes);
    }
    return esp;
  }
});

/** Asserts that nothing boots, and that the stub says why. */
async function assertRefused(
  esp: string,
  kind: 'kernel' | 'initrd',
  secureBoot: SecureBoot = { kind: 'off' },
): Promise<void> {
  const boot = await bootDirectory(esp, secureBoot);
  assert.equal(boot.proof, undefined);
  assert.match(boot.console, new RegExp(`${kind} hash does not match`, 'i'));
}
