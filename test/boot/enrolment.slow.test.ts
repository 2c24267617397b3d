/** Keys made and put on the ESP by the program itself: systemd-boot enrols them, and what they signed boots. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAuthenticatedWrite } from '../../src/secureboot/authenticated-variable.ts';
import { KEY_NAMES } from '../../src/secureboot/key-variable.ts';
import { espalier } from '../lab/espalier.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { assertBooted, bootDirectory, install, theParts, whatIsMissing } from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools']);

test('firmware takes the keys of keys generate and keys enroll, and boots what they signed', {
  skip,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-enrolment-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [keys, esp, variables] = ['sbctl', 'esp', 'vars.fd'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const made = espalier(['keys', 'generate', keys]);
  assert.equal(made.status, 0, made.stderr);
  const db = {
    certificate: join(keys, 'keys/db/db.pem'),
    privateKey: join(keys, 'keys/db/db.key'),
  };
  install({
    esp,
    world: makeProfiles(join(folder, 'world'), theParts()),
    keys: { folder: keys, ...db },
    loaderConf: 'timeout 0\nsecure-boot-enroll force\n',
  });
  // A virtual machine has no cards whose programs Microsoft signed.
  const brave = ['--yes-this-might-brick-my-machine'];
  const put = espalier(['keys', 'enroll', keys, '--esp', esp, '--allow-directory', ...brave]);
  assert.equal(put.status, 0, put.stderr);

  const boot = await bootDirectory(esp, { kind: 'enrol', save: variables });
  assert.match(boot.console, /Custom Secure Boot keys successfully enrolled/);
  assertBooted(boot, '5');
  assert.equal(boot.proof?.secureBoot, true);
  assert.equal(boot.proof?.lockdown, 'integrity');

  const kept = readFileSync(variables);
  for (const name of KEY_NAMES) {
    const { content } = parseAuthenticatedWrite(
      readFileSync(join(esp, `loader/keys/auto/${name}.auth`)),
    );
    assert.ok(kept.includes(Buffer.from(content)), `firmware keeps what was meant for ${name}`);
  }
});
