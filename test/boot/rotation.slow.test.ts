/** Real firmware takes the update that adds the next key of db, from nobody else, and boots what that key signed. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAuthenticatedWrite } from '../../src/secureboot/authenticated-variable.ts';
import { KEY_VARIABLES } from '../../src/secureboot/key-variable.ts';
import { type Member, memberFrom, memberOf } from '../lab/cpio.ts';
import { espalier } from '../lab/espalier.ts';
import { programMembers } from '../lab/guest.ts';
import { makeProofInitrd } from '../lab/initrd.ts';
import { type DemoWorld, makeProfiles } from '../lab/profiles.ts';
import { assertBooted, bootDirectory, install, theParts, whatIsMissing } from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'efitools']);
const limit = { timeout: 300_000 };

/** What the guest does before its proof: hands updates of db to firmware, one by one, and tells what became of each. */
const hand = `export PATH=/usr/bin:/bin
mkdir -p /tmp
# efi-updatevar asks the shell for mount -l, which busybox would answer itself.
ln -sf /usr/bin/dash /bin/sh
chattr -i /sys/firmware/efi/efivars/db-${KEY_VARIABLES.db.vendor}
for update in /updates/*; do
  efi-updatevar -a -f $update db
  echo "ESPALIER-UPDATE \${update##*/} $?" > /dev/console
done
`;

/** The programs that it runs. */
const programs = ['chattr', 'dash', 'efi-updatevar', 'mount'] as const;

function succeed(...args: readonly string[]): void {
  const { status, stderr } = espalier(args);
  assert.equal(status, 0, stderr);
}

/** Makes keys, with a next one and its update, and returns their directory. */
function keysIn(directory: string): string {
  succeed('keys', 'generate', directory, '--bits', '2048');
  succeed('keys', 'generate', directory, '--next', '--bits', '2048');
  succeed('keys', 'enroll', directory, '--next');
  return directory;
}

/** Has the initrd of the current generation bring more. */
function extend({ generations }: DemoWorld, members: readonly Member[]): void {
  const current = generations.at(-1)?.toplevel ?? '';
  const initrd = join(current, 'initrd');
  writeFileSync(initrd, makeProofInitrd(theParts(), 'the last', members));
}

const pairOf = (keys: string) => ({
  folder: keys,
  certificate: join(keys, 'keys/db/db.pem'),
  privateKey: join(keys, 'keys/db/db.key'),
});

test('firmware takes the update for the next key, and boots what that key signed', {
  skip,
  ...limit,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-rotation-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string) => join(folder, name);
  const [keys, stranger] = [keysIn(at('keys')), keysIn(at('stranger'))];
  const update = (from: string) => join(from, 'keys/db.next/db.auth');
  const world = makeProfiles(at('world'), theParts());
  extend(world, [
    memberFrom('updates/1-of-a-stranger', update(stranger)),
    memberFrom('updates/2-of-ours', update(keys)),
    memberOf('before-proof', hand, 0o755),
    ...programs.flatMap((name) => programMembers(`usr/bin/${name}`, `/usr/bin/${name}`)),
  ]);
  const esp = at('esp');
  const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';
  install({ esp, world, keys: pairOf(keys), loaderConf });
  const brave = '--yes-this-might-brick-my-machine';
  succeed('keys', 'enroll', keys, '--esp', esp, '--allow-directory', brave);

  const variables = at('vars.fd');
  const before = await bootDirectory(esp, { kind: 'enrol', save: variables });
  assertBooted(before, '5');
  assert.equal(before.proof?.secureBoot, true);
  assert.match(before.console, /ESPALIER-UPDATE 1-of-a-stranger 1\r?\n/);
  assert.match(before.console, /ESPALIER-UPDATE 2-of-ours 0\r?\n/);
  const { content } = parseAuthenticatedWrite(readFileSync(update(keys)));
  assert.ok(readFileSync(variables).includes(Buffer.from(content)), 'firmware keeps the addition');

  renameSync(join(keys, 'keys/db'), join(keys, 'keys/db.old'));
  renameSync(join(keys, 'keys/db.next'), join(keys, 'keys/db'));
  extend(world, []);
  install({ esp, world, keys: pairOf(keys) });
  const after = await bootDirectory(esp, { kind: 'enforcing', variables });
  assertBooted(after, '5');
  assert.equal(after.proof?.secureBoot, true);
});
