/** Whole disks of our own making boot: tables, FAT, EROFS, hash trees and images, in one run. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { espalier } from '../lab/espalier.ts';
import { makeProfiles } from '../lab/profiles.ts';
import { bootImage } from '../lab/qemu.ts';
import { attempt } from '../lab/run.ts';
import { findUsrReport, marker, placeUsr, usrInit, usrParameters } from '../lab/usr.ts';
import { findVerityInitrd } from '../lab/verity-initrd.ts';
import { assertBooted, doneWithWarnings, once, theParts, whatIsMissing } from './installed.ts';
import { assertIsVerity, espalierDoes, whatVerityMisses } from './verity-machine.ts';

const skip = whatVerityMisses() || whatIsMissing([]);

suite('an image with its /usr behind dm-verity, made in one run for sectors of 4096 bytes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-image-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  const image = once(() => {
    const parts = theParts();
    espalierDoes(['keys', 'generate', at('sbctl')]);
    const [certificate, privateKey] = ['pem', 'key'].map((suffix) =>
      at(`sbctl/keys/db/db.${suffix}`),
    );
    const keys = { certificate: certificate ?? '', privateKey: privateKey ?? '' };
    placeUsr(parts, at('usr'));
    mkdirSync(at('systemd/lib/systemd/boot/efi'), { recursive: true });
    // Before 261, systemd-boot finds no XBOOTLDR partition on such a disk.
    copyFileSync(parts.systemdBoot[262], at('systemd/lib/systemd/boot/efi/systemd-bootx64.efi'));
    const initrd = findVerityInitrd(parts);
    assert.ok(initrd !== undefined);
    writeFileSync(at('image.toml'), description({ ...parts, initrd, stub: parts.stub[257] }, keys));
    espalierDoes(['image', 'build', at('image.toml')]);
    return at('disk.raw');
  });

  test('boots from XBOOTLDR under Secure Boot from the first start, with variables made for it', {
    skip,
  }, async () => {
    const disk = image();
    const variables = at('variables.fd');
    const made = ['image', 'efi-vars', theParts().ovmf.vars, '--output', variables];
    espalierDoes([...made, '--keys', at('sbctl'), '--image', disk]);
    const { console, ended } = await bootImage({
      ...{ parts: theParts(), image: disk, sectorSize: 4096, limit: 400 },
      secureBoot: { kind: 'enforcing', variables },
    });
    const report = findUsrReport(console);
    assert.ok(report !== undefined, `${ended}; the console ends:\n${console.slice(-3000)}`);
    assert.match(console, /starting Boot0000 "Linux Boot Manager"/);
    assertIsVerity(report);
    assert.equal(report.marker, marker);
    assert.match(console, /[Ss]ecure [Bb]oot (is )?enabled|secureboot: Secure boot enabled/);
  });
});

suite('a disk with the efi table of make-disk-image', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-image-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const noExt4 = attempt('mkfs.ext4', ['-V']).status !== 0 && 'SKIPPED, there is no mkfs.ext4';

  test('boots the entry that install put onto its ESP', { skip: skip || noExt4 }, async () => {
    const parts = theParts();
    const { profiles } = makeProfiles(join(folder, 'world'), parts);
    const image = join(folder, 'disk.raw');
    writeFileSync(
      join(folder, 'image.toml'),
      `
output = "disk.raw"
table = "efi"
additional-space = "8MiB"
boot-size = "200MiB"
[root]
contents = [{ text = "hello", target = "/etc/motd" }]
[install]
profiles = ${JSON.stringify(profiles)}
systemd = ${JSON.stringify(parts.systemdRoot[257])}
stub = ${JSON.stringify(parts.stub[257])}
allow-unsigned = true
loader = { timeout = 0 }
`,
    );
    const { status, stderr } = espalier(['image', 'build', join(folder, 'image.toml')]);
    // One of these generations is broken, which is told.
    assert.equal(status, doneWithWarnings, stderr);
    const boot = await bootImage({ parts, image, limit: 300 });
    assertBooted(boot, '5');
  });
});

function description(
  { kernel, initrd, stub }: { kernel: string; initrd: string; stub: string },
  keys: { readonly certificate: string; readonly privateKey: string },
): string {
  return `
output = "disk.raw"
sector-size = 4096
seed = "11111111-2222-4333-8444-555555555555"
certificate = "${keys.certificate}"
private-key = "${keys.privateKey}"
allow-insecure-key = true
systemd = "systemd"

[[partition]]
type = "esp"
loader = true
loader-conf = "timeout 0\\n"

[[partition]]
type = "xbootldr"

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
