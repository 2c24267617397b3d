/** What kiwi's users are told in docs/images.md: each row of the table, judged by other programs. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificatePath } from '../signer/test-key.ts';
import { anExample, buildExample, type Example, extracted, page, tableOf } from './an-example.ts';

const missing = missingTools([
  ...([
    'binutils',
    'cryptsetup-bin',
    'erofs-utils',
    'fdisk',
    'grub-common',
    'grub-pc-bin',
  ] as const),
  ...(['mtools', 'openssl', 'qemu-utils', 'sbsigntool', 'e2fsprogs'] as const),
]);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

const MIB = 1024 * 1024;
const ESP = `${MIB}`;

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});
let example: Example;
const at = (path: string) => example.at(path);

/** Builds the example with other text in some places, and returns its root hash. */
async function variant(
  name: string,
  changes: Readonly<Record<string, string>>,
  status = 0,
): Promise<string> {
  let text = example.text.replace('amazon.raw', `${name}.raw`);
  for (const [from, to] of Object.entries(changes)) {
    assert.ok(text.includes(from), from);
    text = text.replace(from, to);
  }
  example.put(`${name}.toml`, text);
  const rows = await buildExample(example, `${name}.toml`, { status });
  return rows.find(({ roothash }) => roothash !== null)?.roothash ?? '';
}

const KEY = 'certificate = "keys/db.pem"\nprivate-key = "keys/db.key"\n';
const SIGNATURE = /\[\[partition\]\]\ntype = "root-verity-sig"\n[^[]*/;
const HASH = /\[\[partition\]\]\ntype = "root-verity"\n[^[]*/;
const DATA = 'verity = "data"\n';

/** The parts of the example that a change takes out. */
function part(of: RegExp): string {
  return of.exec(example.text)?.[0] ?? assert.fail(`the example has ${of}`);
}

/** A file of the ESP, taken out by mcopy. */
function fromEsp(image: string, path: string): string {
  const output = at(`${image}.${path.replaceAll('/', '_')}`);
  run('mcopy', ['-o', '-i', `${at(image)}@@${ESP}`, `::${path}`, output]);
  return output;
}

/** A section of the UKI, dumped by objcopy. */
function section(image: string, name: string): Buffer {
  const uki = fromEsp(image, '/EFI/Linux/amazon.efi');
  run('objcopy', ['-O', 'binary', '--dump-section', `${name}=${uki}${name}`, uki, `${uki}.rest`]);
  return fs.readFileSync(`${uki}${name}`);
}

const cmdline = (image: string) => section(image, '.cmdline').toString().split(' ');

/** By the first cell of a row: what holds. */
const ROWS: Readonly<Record<string, () => Promise<void> | void>> = {
  'filesystem="erofs"': () => void run('fsck.erofs', [extracted(at('amazon.raw'), 1)]),
  'firmware="efi"'() {
    run('sfdisk', ['--verify', at('amazon.raw')]);
    assert.match(run('sfdisk', ['--dump', at('amazon.raw')]), /type=C12A7328-/);
  },
  'firmware="uefi"'() {
    for (const path of ['/EFI/Linux/amazon.efi', '/EFI/BOOT/BOOTX64.EFI']) {
      run('sbverify', ['--cert', certificatePath, fromEsp('amazon.raw', path)]);
    }
  },
  async 'firmware="bios"'() {
    run('grub-mkimage', ['-O', 'i386-pc', '-o', at('core.img'), '-p', '/', 'biosdisk', 'ext2']);
    const boot = '/usr/lib/grub/i386-pc/boot.img';
    const bios = `[bios]\nboot-code = "${boot}"\ncore = "core.img"\n`;
    const root = '[root]\ncontents = [{ tar = "rootfs.tar" }]\n';
    example.put(
      'bios.toml',
      `output = "bios.raw"\ntable = "legacy"\nadditional-space = 0\n${root}${bios}`,
    );
    await buildExample(example, 'bios.toml');
    run('sfdisk', ['--verify', at('bios.raw')]);
    const disk = fs.readFileSync(at('bios.raw'));
    assert.ok(disk.subarray(0, 0x5a).equals(fs.readFileSync(boot).subarray(0, 0x5a)));
    run('e2fsck', ['-fn', `${at('bios.raw')}?offset=${MIB}`]);
  },
  'efipartsize="100"': () => assert.equal(tableOf(at('amazon.raw'))[0]?.size, 100 * MIB),
  async 'gpt_hybrid_mbr="true"'() {
    await variant('hybrid', { 'size = "100MiB"\n': 'size = "100MiB"\nin-mbr = true\n' });
    const nested = run('sfdisk', ['--label-nested', 'dos', '--dump', at('hybrid.raw')]);
    assert.match(nested, /start= +1, size= +2047, type=ee\n.*start= +2048, size= +204800, type=ef/);
    run('sfdisk', ['--verify', at('hybrid.raw')]);
  },
  async 'verity_blocks="all"'() {
    const changes = {
      [part(HASH)]: '',
      [part(SIGNATURE)]: '',
      [DATA]: `${DATA}verity-hash = "behind"\n`,
    };
    const hash = await variant('behind', changes);
    const words = cmdline('behind.raw');
    const offset = /hash-offset=(\d+)/.exec(words.join(' '))?.[1] ?? '';
    const root = extracted(at('behind.raw'), 1);
    run('veritysetup', ['verify', `--hash-offset=${offset}`, root, root, hash]);
    const { uuid } = tableOf(at('behind.raw'))[1] ?? {};
    assert.ok(words.includes(`systemd.verity_root_data=PARTUUID=${uuid}`), words.join(' '));
  },
  async 'verity_blocks="N"'() {
    const covers = (blocks: number) => ({
      'verity = "hash"\n': `verity = "hash"\ndata-blocks = ${blocks}\n`,
    });
    const hash = await variant('some', { ...covers(8), [DATA]: `${DATA}size = "64KiB"\n` });
    const [data = '', tree = ''] = [1, 2].map((index) => extracted(at('some.raw'), index));
    assert.match(run('veritysetup', ['dump', tree]), /Data blocks:\s+8\n/);
    run('veritysetup', ['verify', data, tree, hash]);
    // Whoever covers less than the file system is told, and gets what was asked for.
    const few = await variant('few', covers(2), 5);
    run('veritysetup', ['verify', extracted(at('few.raw'), 1), extracted(at('few.raw'), 2), few]);
  },
  'verity_partition="true"'() {
    const [data = '', tree = ''] = [1, 2].map((index) => extracted(at('amazon.raw'), index));
    const hash = /roothash=(\w+)/.exec(cmdline('amazon.raw').join(' '))?.[1] ?? '';
    run('veritysetup', ['verify', data, tree, hash]);
    const halves = [1, 2].map((index) =>
      tableOf(at('amazon.raw'))[index]?.uuid.replaceAll('-', ''),
    );
    assert.equal(halves.join(''), hash);
  },
  async 'veritypartsize="1"'() {
    assert.equal(tableOf(at('amazon.raw'))[2]?.size, MIB);
    await variant('exact', { 'match = "root"\nsize = "1MiB"\n': 'match = "root"\n' });
    assert.equal(tableOf(at('exact.raw'))[2]?.size, 8192);
  },
  'verity_signature_required="true", verity_signature_key'() {
    const text = fs
      .readFileSync(extracted(at('amazon.raw'), 3))
      .toString()
      .replace(/\0+$/, '');
    const { rootHash, signature } = JSON.parse(text);
    example.put('signature', Buffer.from(signature, 'base64'));
    example.put('hash', rootHash);
    run('openssl', [
      ...['smime', '-verify', '-inform', 'DER', '-in', at('signature'), '-content', at('hash')],
      ...['-binary', '-noverify', '-nointern', '-certfile', certificatePath],
    ]);
    assert.ok(cmdline('amazon.raw').includes(`roothash=${rootHash}`));
  },
  async 'verity_signature_required="false"'() {
    const hash = await variant('unsigned', { [part(SIGNATURE)]: '', [KEY]: '' });
    assert.equal(tableOf(at('unsigned.raw')).length, 3);
    assert.ok(cmdline('unsigned.raw').includes(`roothash=${hash}`));
  },
  kernelcmdline() {
    const [first, second] = cmdline('amazon.raw');
    assert.equal(first, 'console=ttyS0');
    assert.match(second ?? '', /^roothash=[0-9a-f]{64}$/);
  },
  async 'root hash, data, hash and options on the command line'() {
    const devices = [
      'verity-data-device = "/dev/vda2"',
      'verity-hash-device = "/dev/vda3"',
      'verity-option = ["check-at-most-once"]',
    ].join('\n');
    const hash = await variant('named', { 'verity = "root"\n': `verity = "root"\n${devices}\n` });
    assert.deepEqual(cmdline('named.raw').slice(1), [
      `roothash=${hash}`,
      'systemd.verity_root_data=/dev/vda2',
      'systemd.verity_root_hash=/dev/vda3',
      'systemd.verity_root_options=panic-on-corruption,check-at-most-once',
    ]);
  },
  async 'rd.kiwi.verity_options='() {
    assert.equal(cmdline('amazon.raw').at(-1), 'systemd.verity_root_options=panic-on-corruption');
    for (const [policy, option] of [
      ['restart', 'restart-on-corruption'],
      ['ignore', 'ignore-corruption'],
    ] as const) {
      await variant(policy, { '"panic"': `"${policy}"` });
      assert.equal(cmdline(`${policy}.raw`).at(-1), `systemd.verity_root_options=${option}`);
    }
  },
  '<bootloader name="systemd_boot">'() {
    const brought = fs.readFileSync(at('systemd/lib/systemd/boot/efi/systemd-bootx64.efi'));
    for (const path of ['/EFI/BOOT/BOOTX64.EFI', '/EFI/systemd/systemd-bootx64.efi']) {
      const loader = fromEsp('amazon.raw', path);
      run('sbattach', ['--remove', loader]);
      assert.ok(
        fs.readFileSync(loader).subarray(256, brought.length).equals(brought.subarray(256)),
      );
    }
    assert.match(fs.readFileSync(fromEsp('amazon.raw', '/loader/loader.conf'), 'utf8'), /timeout/);
  },
  '<uki><kernel name="linux"/>'() {
    const kernel = fs.readFileSync(at('linux'));
    assert.ok(section('amazon.raw', '.linux').subarray(0, kernel.length).equals(kernel));
  },
  async '<dracut>: install, modules, drivers, file systems'() {
    const script = '#!/bin/sh\nfor out; do :; done\nprintf "%s\\n" "$@" > "$out"\n';
    example.put('bin/dracut', script);
    fs.chmodSync(at('bin/dracut'), 0o755);
    const table = [
      'install = "/etc/hostname"',
      ...['add = "systemd-veritysetup"', 'add-drivers = "erofs"', 'force-drivers = "dm-verity"'],
      ...['filesystems = "erofs"', 'kver = "6.1.0"'],
    ].join(', ');
    const from = 'initrd = "initrd"\n';
    example.put(
      'dracut.toml',
      example.text.replace('amazon', 'dracut').replace(from, `dracut = { ${table} }\n`),
    );
    const PATH = `${at('bin')}:${process.env['PATH']}`;
    // What this stand-in makes opens no device, which is told.
    const ran = await example.machine.runWith(
      { environment: { PATH, TMPDIR: example.machine.root } },
      ...['image', 'build', at('dracut.toml')],
    );
    assert.equal(ran.status, 5, ran.error?.message);
    const words = section('dracut.raw', '.initrd').toString().split('\n');
    const said = (name: string) => words[words.indexOf(`--${name}`) + 1];
    for (const [name, value] of [
      ['install', '/etc/hostname'],
      ['add', 'systemd-veritysetup'],
      ['add-drivers', 'erofs'],
      ['force-drivers', 'dm-verity'],
      ['filesystems', 'erofs'],
      ['kver', '6.1.0'],
    ] as const) {
      assert.equal(said(name), value);
    }
  },
  async 'format="qcow2"'() {
    example.put(
      'qcow2.toml',
      `format = "qcow2"\n${example.text.replace('amazon.raw', 'amazon.qcow2')}`,
    );
    await buildExample(example, 'qcow2.toml');
    run('qemu-img', ['check', at('amazon.qcow2')]);
    run('qemu-img', ['compare', at('amazon.qcow2'), at('amazon.raw')]);
  },
};

/** The first cells of the table. */
const cells = (page.split('| kiwi | here |\n')[1] ?? '')
  .split('\n\n')[0]
  ?.split('\n')
  .slice(1)
  .map((line) => line.split('|')[1]?.replaceAll('`', '').trim() ?? '');

test('each row of the table for kiwi’s users has its test', () => {
  assert.deepEqual(cells, Object.keys(ROWS));
});

describe('what kiwi’s users are told', { skip }, () => {
  before(async () => {
    example = anExample({ after: (end: () => void) => void ends.push(end) }, 'kiwi.toml');
    await buildExample(example, 'kiwi.toml');
  });
  for (const [row, holds] of Object.entries(ROWS)) test(row, holds);
});
