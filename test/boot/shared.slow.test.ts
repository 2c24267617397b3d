/** Under real firmware: entries that share an image boot their own part of it, whatever loader and stub. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { makeKeys, placeEnrolment } from '../lab/keys.ts';
import { hasOlderSystemd, olderSystemd } from '../lab/older-systemd.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { predictPcr11 } from '../measure/predict.ts';
import {
  assertBooted,
  bootDirectory,
  type InstallOptions,
  install,
  once,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip = whatIsMissing([
  'qemu-system-x86',
  'mtools',
  'dosfstools',
  'openssl',
  'efitools',
  'swtpm',
]);

suite('entries that share an image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-shared-boot-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));
  const keys = once(() => makeKeys(join(folder, 'keys')));
  const variables = join(folder, 'vars.fd');

  /** Installs an ESP on which generation 2 boots next, a later part of the image of generation 5. */
  function made(name: string, options: Partial<InstallOptions>): string {
    const esp = join(folder, name);
    install({ esp, world: world(), format: 'shared', generation: 2, ...options });
    return esp;
  }

  test('boot counted after a rollback under systemd-boot 252, with the stub of 257', {
    skip,
  }, async () => {
    const stub = theParts().stub[257];
    const boot = await bootDirectory(made('252', { systemd: '252', stub, bootCounting: 3 }));
    assertBooted(boot, '2');
    assert.match(boot.proof?.entry ?? '', /^nixos-generation-2-[a-z2-7]{52}/);
  });

  test('boot counted after a rollback under systemd-boot 254, with the stub of 262', {
    skip: skip || (!hasOlderSystemd() && 'SKIPPED, missing parts: node test/lab/fetch.ts'),
  }, async () => {
    const loader = { systemdRoot: olderSystemd, bootCounting: 3 };
    const boot = await bootDirectory(made('254', { systemd: '262', ...loader }));
    assertBooted(boot, '2');
    assert.match(boot.proof?.line ?? '', / loader=systemd-boot_254/);
    assert.match(boot.proof?.entry ?? '', /^nixos-generation-2-[a-z2-7]{52}\+3\.conf$/);
  });

  test('keep their command line under Secure Boot, and measure as predicted: systemd 262', {
    skip,
  }, async () => {
    const esp = join(folder, '262');
    placeEnrolment(keys(), esp);
    const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';
    made('262', { systemd: '262', keys: keys(), loaderConf });
    const { image, profile, path, text } = entryOf(esp, 2);
    const cmdline = /\noptions (init=.*)\n/.exec(text)?.[1];
    writeFileSync(path, text.replace(/options (@\d+)\n/, 'options $1 init=/evil\n'));
    const secureBoot = { kind: 'enrol', save: variables } as const;
    const boot = await bootDirectory(esp, secureBoot, { tpm: true });
    assertBooted(boot, '2');
    assert.equal(boot.proof?.secureBoot, true);
    assert.equal(boot.proof?.cmdline, cmdline);
    assert.ok(profile > 0);
    const source = bytesSource(readFileSync(join(esp, image)));
    assert.equal(boot.measured?.pcr11, predictPcr11(source, { profile }).sha256);
  });

  test('boot under systemd-boot 257 with the stub of 262, Secure Boot enforcing', {
    skip,
  }, async () => {
    const stub = theParts().stub[262];
    const esp = made('257', { stub, keys: keys(), bootCounting: 3 });
    const boot = await bootDirectory(esp, { kind: 'enforcing', variables });
    assertBooted(boot, '2');
    assert.equal(boot.proof?.secureBoot, true);
  });
});

/** The entry of a generation itself: its file, and where that leads. */
function entryOf(esp: string, generation: number) {
  const directory = join(esp, 'loader/entries');
  const mine = new RegExp(`-generation-${generation}-[a-z2-7]{52}`);
  const path = join(directory, readdirSync(directory).find((name) => mine.test(name)) ?? '');
  const text = readFileSync(path, 'utf8');
  const [, image = '', profile] = /^linux \/(.*)\noptions @(\d+)\n/.exec(text) ?? [];
  return { path, text, image, profile: Number(profile) };
}
