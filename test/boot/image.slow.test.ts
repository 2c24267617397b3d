/** Whole disks of our own making boot: tables, FAT, EROFS, hash trees and images, in one run. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { makeKeys, placeEnrolment } from '../lab/keys.ts';
import { bootImage } from '../lab/qemu.ts';
import { findUsrReport, marker, placeUsr, usrInit, usrParameters } from '../lab/usr.ts';
import { findVerityInitrd } from '../lab/verity-initrd.ts';
import { once, theParts, whatIsMissing } from './installed.ts';
import { assertIsVerity, espalierDoes, whatVerityMisses } from './verity-machine.ts';

const skip = whatVerityMisses() || whatIsMissing(['openssl', 'efitools']);

suite('an image with its /usr behind dm-verity, made in one run', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-image-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  const image = once(() => {
    const parts = theParts();
    const keys = makeKeys(at('keys'));
    placeUsr(parts, at('usr'));
    placeEnrolment(keys, at('enrolment'));
    mkdirSync(at('systemd/lib/systemd/boot/efi'), { recursive: true });
    copyFileSync(parts.systemdBoot[257], at('systemd/lib/systemd/boot/efi/systemd-bootx64.efi'));
    const initrd = findVerityInitrd(parts);
    assert.ok(initrd !== undefined);
    writeFileSync(at('image.toml'), description({ ...parts, initrd, stub: parts.stub[257] }, keys));
    espalierDoes(['image', 'build', at('image.toml')]);
    return at('disk.raw');
  });

  test('boots under Secure Boot with the keys that its ESP enrols', { skip }, async () => {
    const disk = at('booted.raw');
    copyFileSync(image(), disk);
    const { console, ended } = await bootImage({
      ...{ parts: theParts(), image: disk, limit: 400 },
      secureBoot: { kind: 'enrol', save: at('variables') },
    });
    const report = findUsrReport(console);
    assert.ok(report !== undefined, `${ended}; the console ends:\n${console.slice(-3000)}`);
    assertIsVerity(report);
    assert.equal(report.marker, marker);
    assert.match(console, /[Ss]ecure [Bb]oot (is )?enabled|secureboot: Secure boot enabled/);
  });
});

function description(
  { kernel, initrd, stub }: { kernel: string; initrd: string; stub: string },
  keys: { readonly certificate: string; readonly privateKey: string },
): string {
  return `
output = "disk.raw"
seed = "11111111-2222-4333-8444-555555555555"
certificate = "${keys.certificate}"
private-key = "${keys.privateKey}"
allow-insecure-key = true
systemd = "systemd"

[[partition]]
type = "esp"
size = "128MiB"
loader = true
loader-conf = """
timeout 0
secure-boot-enroll force
"""
contents = [{ source = "enrolment/loader", target = "/loader" }]

[partition.uki]
path = "/EFI/Linux/usr.efi"
linux = "${kernel}"
initrd = "${initrd}"
stub = "${stub}"
os-release = """
ID=usr
VERSION_ID=1
"""
cmdline = "init=${usrInit} ${usrParameters.join(' ').replace('quiet ', '')}"
verity = "usr"

[[partition]]
type = "usr-verity"
verity = "hash"
match = "usr"

[[partition]]
type = "usr"
format = "erofs"
verity = "data"
match = "usr"
contents = [{ source = "usr", target = "/" }]

[[partition]]
type = "usr-verity-sig"
verity = "signature"
match = "usr"
`;
}
