/** A system with generations that differ in nothing but the root hash of their /usr, and how it is installed. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { espalier } from '../lab/espalier.ts';
import type { Ran } from '../lab/run.ts';
import { usrInit, usrParameters } from '../lab/usr.ts';
import { findVerityInitrd } from '../lab/verity-initrd.ts';
import { theParts } from './installed.ts';

/** Where things are in the system. */
const profiles = '/nix/var/nix/profiles';
const kernel = storePath('k', 'linux/bzImage');
const initrd = storePath('l', 'initrd/initrd');
const systemd = storePath('s', 'systemd');

/** Adds a generation for each root hash to a system that lies in `root` and has a /usr; the last one is current. */
export function placeGenerations(root: string, rootHashes: readonly string[]): void {
  const archive = findVerityInitrd(theParts());
  assert.ok(archive !== undefined);
  const place = (path: string, source: string): void => {
    mkdirSync(join(root, path, '..'), { recursive: true });
    copyFileSync(source, join(root, path));
  };
  place(kernel, theParts().kernel);
  place(initrd, archive);
  place(`${systemd}/lib/systemd/boot/efi/systemd-bootx64.efi`, theParts().systemdBoot[257]);
  place(`${systemd}/lib/systemd/boot/efi/linuxx64.efi.stub`, theParts().stub[257]);
  mkdirSync(join(root, profiles), { recursive: true });
  rootHashes.forEach((rootHash, index) => {
    placeGeneration(root, index + 1, [...usrParameters, `usrhash=${rootHash}`]);
  });
  symlinkSync(`system-${rootHashes.length}-link`, join(root, profiles, 'system'));
}

function placeGeneration(root: string, number: number, kernelParams: readonly string[]): void {
  const toplevel = storePath(`${number}`, `nixos-system-${number}`);
  const label = `A system ${number}`;
  const files = { init: usrInit, initrd, kernel, toplevel };
  const v1 = { ...files, label, system: 'x86_64-linux', kernelParams };
  mkdirSync(join(root, toplevel));
  const document = JSON.stringify({ 'org.nixos.bootspec.v1': v1 });
  writeFileSync(join(root, toplevel, 'boot.json'), document);
  symlinkSync(toplevel, join(root, profiles, `system-${number}-link`));
}

function storePath(letter: string, name: string): string {
  return `/nix/store/${letter.repeat(32)}-${name}`;
}

/** Installs the system onto an ESP, for a machine with that disk. Both are paths in it. */
export function installSystem(root: string, esp: string, disk: string): Ran {
  mkdirSync(join(root, esp), { recursive: true });
  return espalier([
    ...['install', '--root', root, '--esp', esp, '--disk', disk, '--systemd', systemd],
    ...['--allow-directory', '--allow-unsigned'],
  ]);
}
