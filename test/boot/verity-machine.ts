/** Machines that boot an image of our own making from a disk whose /usr is protected by dm-verity. */
import assert from 'node:assert/strict';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeDracut } from '../lab/dracut.ts';
import { espalier } from '../lab/espalier.ts';
import { bootImage } from '../lab/qemu.ts';
import type { RunOptions } from '../lab/run.ts';
import { findUsrReport, type UsrReport, usrInit, usrParameters } from '../lab/usr.ts';
import { dracutOptions, findVerityInitrd } from '../lab/verity-initrd.ts';
import { theParts, whatIsMissing } from './installed.ts';

/** Returns why these tests cannot run here, or false when they can. */
export function whatVerityMisses(): string | false {
  const missing = whatIsMissing([
    'qemu-system-x86',
    'mtools',
    'dosfstools',
    'erofs-utils',
    'fdisk',
  ]);
  if (missing !== false) return missing;
  return (
    findVerityInitrd(theParts()) === undefined && 'SKIPPED, missing parts: node test/lab/fetch.ts'
  );
}

/** Runs the program, which has to succeed, and returns what it printed. */
export function espalierDoes(args: readonly string[], options: RunOptions = {}): string {
  const { status, stdout, stderr } = espalier(args, options);
  assert.equal(status, 0, stderr);
  return stdout;
}

/**
 * Builds an image with a root hash of /usr; `verity` are the options that say which.
 * @param dracutIn a folder to have dracut make the initrd in; by default it is one that was made before
 */
export function buildImage(output: string, verity: readonly string[], dracutIn?: string): void {
  const parts = theParts();
  const cmdline = [`init=${usrInit}`, ...usrParameters].join(' ');
  const made = findVerityInitrd(parts);
  assert.ok(made !== undefined);
  const initrd = dracutIn === undefined ? ['--initrd', made] : ['--dracut', ...dracutOptions];
  const args = [
    ...['uki', 'build', '--linux', parts.kernel, ...initrd, '--stub', parts.stub[257]],
    ...['--os-release', 'ID=usr\nVERSION_ID=1', '--cmdline', cmdline],
    ...['--verity-of', 'usr', ...verity, '--output', output],
  ];
  espalierDoes(args, dracutIn === undefined ? {} : { env: dracutEnvironment(dracutIn) });
}

function dracutEnvironment(folder: string): Record<string, string> {
  mkdirSync(folder);
  const bin = makeDracut(theParts(), folder);
  return { PATH: [bin, process.env['PATH']].join(':'), TMPDIR: folder };
}

/** Fills a directory with an ESP that has systemd-boot and one image, made as {@link buildImage} does. */
export function placeEsp(esp: string, verity: readonly string[], dracutIn?: string): void {
  for (const name of ['EFI/BOOT', 'EFI/Linux', 'loader']) {
    mkdirSync(join(esp, name), { recursive: true });
  }
  copyFileSync(theParts().systemdBoot[257], join(esp, 'EFI/BOOT/BOOTX64.EFI'));
  writeFileSync(join(esp, 'loader/loader.conf'), 'timeout 0\n');
  buildImage(join(esp, 'EFI/Linux/usr.efi'), verity, dracutIn);
}

/** Boots a disk and returns what its /usr said of itself, with the console. */
export async function bootUsr(image: string): Promise<UsrReport & { readonly console: string }> {
  const { console, ended } = await bootImage({ parts: theParts(), image, limit: 300 });
  const report = findUsrReport(console);
  assert.ok(report !== undefined, `${ended}; the console ends:\n${console.slice(-3000)}`);
  return { ...report, console };
}

/** Asserts that /usr was the device that dm-verity made; with a UUID, with that hash area. */
export function assertIsVerity({ mount, device }: UsrReport, uuid?: string): void {
  assert.match(mount, /^\/dev\/mapper\/usr \/usr erofs ro,/);
  const made = uuid?.replaceAll('-', '') ?? '[0-9a-f]{32}';
  assert.match(device, new RegExp(`^usr CRYPT-VERITY-${made}-usr$`));
}

/** Flips one bit of a file. */
export function flipByte(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  const byte = new Uint8Array(1);
  try {
    readSync(file, byte, 0, 1, offset);
    const flipped = byte.map((value) => value ^ 1);
    writeSync(file, flipped, 0, 1, offset);
  } finally {
    closeSync(file);
  }
}
