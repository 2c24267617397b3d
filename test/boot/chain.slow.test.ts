/** Firmware whose db has a root starts what a signer far below it signed, and only with the way to the root. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { makeKeys, placeEnrolment } from '../lab/keys.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { makeChain } from '../signer/a-chain.ts';
import {
  assertBooted,
  bootDirectory,
  install,
  once,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'openssl', 'efitools']);

suite('with a root in db', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-boot-chain-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));
  const chain = once(() => {
    mkdirSync(join(folder, 'chain'));
    return makeChain(join(folder, 'chain'));
  });
  const keys = once(() => {
    const made = makeKeys(join(folder, 'keys'));
    copyFileSync(chain().root, join(made.folder, 'db.pem'));
    return made;
  });
  const variables = join(folder, 'vars.fd');

  test('a certificate with its intermediates boots', { skip }, async () => {
    const esp = join(folder, 'whole');
    placeEnrolment(keys(), esp);
    const { bundle: certificate, privateKey } = chain();
    const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';
    const signer = { folder: keys().folder, certificate, privateKey };
    install({ esp, world: world(), keys: signer, loaderConf });
    const boot = await bootDirectory(esp, { kind: 'enrol', save: variables });
    assertBooted(boot, '5');
    assert.equal(boot.proof?.secureBoot, true);
  });

  test('the certificate alone does not', { skip }, async () => {
    const esp = join(folder, 'bare');
    const { certificate, privateKey } = chain();
    install({ esp, world: world(), keys: { folder: keys().folder, certificate, privateKey } });
    const boot = await bootDirectory(esp, { kind: 'enforcing', variables });
    assert.equal(boot.proof, undefined);
    assert.match(boot.console, /access denied|security violation/i);
  });
});
