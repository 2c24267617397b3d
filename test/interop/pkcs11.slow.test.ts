/** A key that never leaves its token signs what boots: SoftHSM, OpenSSL's engine, and the recipe of docs/tasks.md. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { aMachine, type Machine } from '../command/a-machine.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { recipe } from './task-recipe.ts';

const missing = missingTools([
  ...(['openssl', 'sbsigntool', 'softhsm2'] as const),
  ...(['libengine-pkcs11-openssl', 'xxd'] as const),
]);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

const PIN = '1234';

/** Makes a token that holds db's key, and returns the environment in which it is found. */
function aToken({ root }: Machine): Readonly<Record<string, string>> {
  const at = (name: string) => join(root, name);
  fs.mkdirSync(at('tokens'));
  fs.writeFileSync(at('softhsm2.conf'), `directories.tokendir = ${at('tokens')}\n`);
  const env = {
    SOFTHSM2_CONF: at('softhsm2.conf'),
    PKCS11_MODULE_PATH: '/usr/lib/softhsm/libsofthsm2.so',
  };
  const token = ['--label', 'espalier', '--pin', PIN, '--so-pin', '43210'];
  run('softhsm2-util', ['--init-token', '--free', ...token], { env });
  const key = at('db.p8');
  run('openssl', ['pkcs8', '-topk8', '-nocrypt', '-in', privateKeyPath, '-out', key]);
  const object = ['--token', 'espalier', '--label', 'db', '--id', '01', '--pin', PIN];
  run('softhsm2-util', ['--import', key, ...object], { env });
  fs.rmSync(key);
  return env;
}

/** The recipe as a program, with somebody who knows the PIN and counts how often it is asked for. */
function aCommand(
  { root }: Machine,
  env: Readonly<Record<string, string>>,
  { asked, pin }: { readonly asked: string; readonly pin: string },
): string {
  fs.mkdirSync(join(root, 'bin'));
  const ask = `#!/bin/sh\necho "$*" >> ${asked}\nprintf %s ${pin}\n`;
  fs.writeFileSync(join(root, 'bin/systemd-ask-password'), ask, { mode: 0o755 });
  const settings = Object.entries({ ...env, PATH: `${join(root, 'bin')}:$PATH` });
  const exports = settings.map(([name, value]) => `export ${name}=${value}\n`).join('');
  const script = recipe('systemd-ask-password', '-engine pkcs11');
  const path = join(root, 'sign-with-token');
  const shebang = '#!/bin/bash\n';
  fs.writeFileSync(path, script.replace(shebang, `${shebang}${exports}`), { mode: 0o755 });
  return path;
}

function remains(): readonly string[] {
  return fs.readdirSync('/dev/shm').filter((name) => name.startsWith('pin.'));
}

const install = (machine: Machine, ...key: readonly string[]) =>
  machine.runWith(
    {},
    ...['install', ...machine.arguments(), '--certificate', certificatePath, '--quiet', ...key],
  );

test('a token signs an ESP as the key itself does, and its PIN is asked for once', {
  skip,
}, async (t) => {
  const machine = aMachine(t, { generations: [{}, {}, {}] });
  const before = remains();
  const asked = join(machine.root, 'asked');
  const command = aCommand(machine, aToken(machine), { asked, pin: PIN });
  const { status, error } = await install(machine, '--signing-command', command, '--signing-batch');
  assert.equal(status, 0, error?.message);
  assert.equal(fs.readFileSync(asked, 'utf8'), '-n PIN of the token:\n');
  assert.deepEqual(remains(), before, 'the PIN is gone');
  for (const path of machine.paths(/\.efi$/i)) {
    run('sbverify', ['--cert', certificatePath, join(machine.esp, path)]);
  }
  const theirs = machine.tree();
  fs.rmSync(machine.esp, { recursive: true });
  fs.mkdirSync(machine.esp);
  const key = join(machine.root, 'db.key');
  fs.copyFileSync(privateKeyPath, key);
  fs.chmodSync(key, 0o600);
  assert.equal((await install(machine, '--private-key', key)).status, 0);
  assert.deepEqual(machine.tree(), theirs);
});

test('a wrong PIN is tried once and leaves the ESP untouched', { skip }, async (t) => {
  const machine = aMachine(t, { generations: [{}, {}, {}] });
  const before = remains();
  const asked = join(machine.root, 'asked');
  const command = aCommand(machine, aToken(machine), { asked, pin: '9999' });
  const { status, error } = await install(machine, '--signing-command', command, '--signing-batch');
  assert.equal(status, 1);
  assert.match(error?.message ?? '', /sign-with-token: expected status 0, got 1/);
  assert.deepEqual(machine.tree(), {});
  assert.deepEqual(remains(), before);
});
