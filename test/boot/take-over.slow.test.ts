/** An ESP of lanzaboote's own tool boots under OVMF, and boots on after it was taken over. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { espalier } from '../lab/espalier.ts';
import { makeKeys } from '../lab/keys.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { run } from '../lab/run.ts';
import { peerProgram, peerStub, whyNoPeer, whyNoStub } from '../lzbt/peer.ts';
import {
  assertBooted,
  bootDirectory,
  doneWithWarnings,
  placeSettings,
  theParts,
  whatIsMissing,
} from './installed.ts';

const stub = peerStub() ?? '';
const skip =
  whyNoPeer() ||
  whyNoStub() ||
  whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'openssl']);

const folder = mkdtempSync(join(tmpdir(), 'espalier-take-over-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('the current generation boots, also beside an image of lanzaboote’s that stays', {
  skip,
}, async () => {
  const world = makeProfiles(join(folder, 'world'), theParts());
  const settings = placeSettings(world, 'timeout 0\ndefault nixos-*\n');
  const { certificate, privateKey } = makeKeys(join(folder, 'keys'));
  const systemd = theParts().systemdRoot['257'];
  const esp = join(folder, 'esp');
  mkdirSync(esp);
  const links = world.generations.map(({ number }) =>
    join(world.profiles, `system-${number}-link`),
  );
  run(
    peerProgram(),
    [
      ...['install', '--system', 'x86_64-linux', '--systemd', systemd],
      ...['--systemd-boot-loader-config', settings, '--configuration-limit', '0'],
      ...['--public-key', certificate, '--private-key', privateKey, esp, ...links],
    ],
    { env: { LANZABOOTE_STUB: stub } },
  );
  const theirs = images(esp);
  assertBooted(await bootDirectory(esp), '5');

  const { status, stderr } = espalier([
    ...['install', '--esp', esp, '--allow-directory', '--profiles', world.profiles],
    ...['--format', 'thin', '--stub', stub, '--adopt', '--systemd', systemd],
    ...['--loader-conf', settings, '--keep-default', '--cache-dir', join(folder, 'cache')],
    ...['--certificate', certificate, '--private-key', privateKey],
  ]);
  assert.equal(status, doneWithWarnings, stderr);
  const kept = images(esp).filter((name) => theirs.includes(name));
  // Lanzaboote makes do without a boot.json that is cut off, and we leave what we cannot read.
  assert.match(kept.join(), /^nixos-generation-4-[a-z2-7]{52}\.efi$/);
  assertBooted(await bootDirectory(esp), '5');
});

function images(esp: string): readonly string[] {
  return readdirSync(join(esp, 'EFI/Linux'));
}
