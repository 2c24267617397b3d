/** Two versions of a root behind dm-verity, split from the images that they were made in, on one disk. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { makeGptDisk } from '../lab/gpt-disk.ts';
import { bootImage, emulated } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import { findUsrReport, fragile, placeUsr, type UsrReport, usrInit } from '../lab/usr.ts';
import { findVerityInitrd } from '../lab/verity-initrd.ts';
import { once, theParts } from './installed.ts';
import { espalierDoes, flipByte, whatVerityMisses } from './verity-machine.ts';

const skip = whatVerityMisses();

/** The older version may be started as often as one likes, the newer one once. */
const IMAGES = { 1: 'os_1.efi', 2: 'os_2+1.efi' } as const;
type Version = keyof typeof IMAGES;

interface Row {
  readonly type: string;
  readonly uuid: string;
  readonly split_path: string;
}

suite('a disk with two versions of a root behind dm-verity, under Secure Boot', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-root-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);

  /** The disk as an update leaves it; one byte of the newer root is another by now. */
  const disk = once(() => {
    espalierDoes(['keys', 'generate', at('sbctl')]);
    const [older, newer] = [build(1), build(2)];
    const image = `::/EFI/Linux/${IMAGES[2]}`;
    run('mcopy', ['-i', newer.esp, image, at(IMAGES[2])]);
    run('mcopy', ['-i', older.esp, at(IMAGES[2]), image]);
    const parts = [{ type: 'esp', content: older.esp } as const, ...older.root, ...newer.root];
    const [, , , start = 0] = makeGptDisk(at('disk.raw'), parts);
    const offset = readFileSync(newer.root[0].content).indexOf(fragile);
    assert.ok(offset > 0);
    flipByte(at('disk.raw'), start + offset);
    const made = ['image', 'efi-vars', theParts().ovmf.vars, '--output', at('variables.fd')];
    espalierDoes([...made, '--keys', at('sbctl'), '--image', at('disk.raw')]);
    return at('disk.raw');
  });

  test('starts the newer one, and no damaged byte of it is read', { skip }, async () => {
    const { marker, fragile: read, console } = await boot();
    assert.equal(marker, 'version 2');
    assert.match(console, /secureboot: Secure boot enabled/);
    assert.equal(read, '');
    assert.match(console, /verity: .*: data block \d+ is corrupted/);
  });

  test('starts the older one, when the newer one has had its try', { skip }, async () => {
    const { marker, fragile: read } = await boot();
    assert.deepEqual([marker, read], ['version 1', fragile]);
  });

  async function boot(): Promise<UsrReport & { readonly console: string }> {
    const secureBoot = { kind: 'enforcing', variables: at('variables.fd') } as const;
    const { console, ended } = await bootImage({
      ...{ parts: theParts(), image: disk(), limit: 400 },
      secureBoot,
    });
    const report = findUsrReport(console);
    assert.ok(report !== undefined, `${ended}; the console ends:\n${console.slice(-3000)}`);
    assert.match(report.mount, /^\/dev\/mapper\/root \/ erofs ro,/);
    assert.match(report.device, /^root CRYPT-VERITY-[0-9a-f]{32}-root$/);
    return { ...report, console };
  }

  /** Makes an image of a version, and returns the parts that it was split to. */
  function build(version: Version) {
    const parts = theParts();
    placeRoot(version);
    mkdirSync(at('systemd/lib/systemd/boot/efi'), { recursive: true });
    copyFileSync(parts.systemdBoot[257], at('systemd/lib/systemd/boot/efi/systemd-bootx64.efi'));
    writeFileSync(at('image.toml'), description(version));
    const build = ['image', 'build', at('image.toml'), '--json', '--split'];
    const said = espalierDoes([...build, '--output', at(`${version}.raw`)]);
    const rows: readonly Row[] = JSON.parse(said);
    const split = (type: 'esp' | 'root' | 'root-verity') => {
      const row = rows.find(
        (each) => each.type === (type === 'esp' ? type : `root-x86-64${type.slice(4)}`),
      );
      assert.ok(row !== undefined, said);
      return { type, uuid: row.uuid, content: row.split_path };
    };
    return { esp: split('esp').content, root: [split('root'), split('root-verity')] as const };
  }

  function placeRoot(version: Version): void {
    for (const name of ['dev', 'proc', 'run', 'sys', 'tmp', 'usr', 'var']) {
      mkdirSync(at(`${version}/${name}`), { recursive: true });
    }
    placeUsr(theParts(), at(`${version}/usr`));
    writeFileSync(at(`${version}/usr/share/marker`), `version ${version}\n`.padEnd(8192, '.'));
  }

  function description(version: Version): string {
    const { kernel, stub } = theParts();
    const words = ['console=ttyS0', 'panic=-1', 'root=/dev/mapper/root', 'rootfstype=erofs', 'ro'];
    const cmdline = [`init=${usrInit}`, ...words, ...emulated].join(' ');
    return `
certificate = "${at('sbctl/keys/db/db.pem')}"
private-key = "${at('sbctl/keys/db/db.key')}"
allow-insecure-key = true
systemd = "systemd"

[[partition]]
type = "esp"
size = "128MiB"
loader = true
loader-conf = "timeout 0\\n"
split-name = "esp"

[partition.uki]
path = "/EFI/Linux/${IMAGES[version]}"
linux = "${kernel}"
initrd = "${findVerityInitrd(theParts())}"
stub = "${stub[257]}"
os-release = """
ID=os
VERSION_ID=${version}
"""
cmdline = "${cmdline}"
verity = "root"

[[partition]]
type = "root"
format = "erofs"
verity = "data"
match = "root"
contents = [{ source = "${version}", target = "/" }]
split-name = "root"

[[partition]]
type = "root-verity"
verity = "hash"
match = "root"
split-name = "root-verity"
`;
  }
});
