/** Under real firmware: entries that share an image boot their own part of it, whatever loader and stub. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { loaderIdentity } from '../../src/loader/systemd-boot.ts';
import { espalier } from '../lab/espalier.ts';
import { makeKeys, placeEnrolment } from '../lab/keys.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { bootImage } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import {
  assertBooted,
  bootDirectory,
  type InstallOptions,
  install,
  makeDisk,
  once,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools', 'openssl', 'efitools']);

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

  test('boot from the loader before, systemd-boot 254, where firmware cannot start the newer one', {
    skip,
  }, async () => {
    const disk = join(folder, 'previous.raw');
    const offset = makeDisk(disk, 160 * 1024 * 1024);
    const options: InstallOptions = {
      ...{ esp: disk, isImage: true, world: world(), format: 'shared', generation: 2 },
      ...{ stub: theParts().stub[257], bootCounting: 3 },
    };
    install({ ...options, systemd: '254' });
    install({ ...options, systemd: '257', variables: ranLoader(theParts().systemdBoot[254]) });
    const [own, previous] = ['', '-fallback'].map((of) => `EFI/systemd/systemd-boot${of}x64.efi`);
    const garbage = join(folder, 'garbage');
    writeFileSync(garbage, 'MZ, and no program\n'.repeat(5000));
    run('mcopy', ['-o', '-i', `${disk}@@${offset}`, garbage, `::/${own}`]);
    const file = join(folder, 'previous.fd');
    const boots = ['--boot', own ?? '', '--boot', previous ?? ''];
    const made = ['image', 'efi-vars', theParts().ovmf.vars, '--output', file, '--image', disk];
    assert.equal(espalier([...made, ...boots]).status, 0);
    const secureBoot = { kind: 'off', variables: file } as const;
    const boot = await bootImage({ parts: theParts(), image: disk, secureBoot });
    assertBooted(boot, '2');
    assert.match(boot.console, /failed to load Boot0000/);
    assert.match(boot.console, /loading Boot0001/);
    assert.match(boot.proof?.line ?? '', / loader=systemd-boot_254\./);
  });

  test('keep their command line under Secure Boot, whatever an entry says: systemd 262', {
    skip,
  }, async () => {
    const esp = join(folder, '262');
    placeEnrolment(keys(), esp);
    const loaderConf = 'timeout 0\nsecure-boot-enroll force\n';
    made('262', { systemd: '262', keys: keys(), loaderConf });
    const { profile, path, text } = entryOf(esp, 2);
    const cmdline = /\noptions (init=.*)\n/.exec(text)?.[1];
    writeFileSync(path, text.replace(/options (@\d+)\n/, 'options $1 init=/evil\n'));
    const secureBoot = { kind: 'enrol', save: variables } as const;
    const boot = await bootDirectory(esp, secureBoot);
    assertBooted(boot, '2');
    assert.equal(boot.proof?.secureBoot, true);
    assert.equal(boot.proof?.cmdline, cmdline);
    assert.ok(profile > 0);
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

/** EFI variables that say that a loader started this machine, from its place. */
function ranLoader(path: string): string {
  const identity = loaderIdentity(bytesSource(readFileSync(path)));
  assert.ok(identity.kind === 'systemd-boot');
  const directory = mkdtempSync(join(tmpdir(), 'espalier-efivars-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const value = Buffer.from(`\u0007\0systemd-boot ${identity.version}\0`, 'utf16le');
  writeFileSync(join(directory, 'LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f'), value);
  return directory;
}

/** The entry of a generation itself: its file, and which part of the image it boots. */
function entryOf(esp: string, generation: number) {
  const directory = join(esp, 'loader/entries');
  const mine = new RegExp(`-generation-${generation}-[a-z2-7]{52}`);
  const path = join(directory, readdirSync(directory).find((name) => mine.test(name)) ?? '');
  const text = readFileSync(path, 'utf8');
  const [, profile] = /^linux \/.*\noptions @(\d+)\n/.exec(text) ?? [];
  return { path, text, profile: Number(profile) };
}
