/** Entries on an XBOOTLDR partition of an image, and the boot loader on its ESP. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { anExample, buildExample, extracted } from './an-example.ts';

const missing = missingTools(['dosfstools', 'mtools']);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

const DESCRIPTION = `
output = "disk.raw"
systemd = "systemd"

[[partition]]
type = "esp"
size = "40MiB"
loader = true

[[partition]]
type = "xbootldr"
size = "64MiB"

[partition.uki]
path = "/EFI/Linux/own.efi"
linux = "linux"
systemd = "systemd"
os-release = "ID=own"

[install]
profiles = "profiles"
allow-unsigned = true
systemd = "systemd"
`;

describe('an image with an XBOOTLDR partition', { skip }, () => {
  test('has the entries there and the loader on the ESP, as install makes them', async (t) => {
    const example = anExample(t, 'make-disk-image.toml');
    const { machine, at, put } = example;
    put('image.toml', DESCRIPTION);
    await buildExample(example, 'image.toml');
    const [esp = '', xbootldr = ''] = [0, 1].map((index) => extracted(at('disk.raw'), index));
    for (const fat of [esp, xbootldr]) run('fsck.fat', ['-n', fat]);
    const files = (fat: string) => run('mdir', ['-/', '-b', '-i', fat, '::']).split('\n');
    const isEntry = (path: string) => /EFI\/Linux\/.*\.efi$/.test(path);
    assert.ok(files(esp).includes('::/EFI/BOOT/BOOTX64.EFI'));
    assert.ok(files(esp).includes('::/loader/loader.conf'));
    assert.deepEqual(files(esp).filter(isEntry), []);
    assert.equal(files(xbootldr).filter(isEntry).length, 3);
    assert.ok(files(xbootldr).includes('::/EFI/Linux/own.efi'));
    assert.ok(!files(xbootldr).some((path) => path.includes('BOOTX64')));

    // The image is worked on as a machine is.
    const place = ['--esp', `${at('disk.raw')}#1`, '--xbootldr', `${at('disk.raw')}#2`];
    const listed = await machine.runWith({}, 'list', ...place, '--json');
    assert.equal(listed.error, undefined, listed.error?.message);
    assert.match(listed.output, /nixos-generation-2-.*/);
    const from = ['--profiles', machine.profiles, '--systemd', at('systemd')];
    const words = ['install', '--allow-unsigned', ...place, ...from, '--json'];
    const again = await machine.runWith({}, ...words);
    assert.equal(again.error, undefined, again.error?.message);
    assert.deepEqual(JSON.parse(again.output).esps[0].plan.phases, []);
    const other = ['--esp', `${at('disk.raw')}#1`, '--xbootldr', `${at('disk.raw')}#1`];
    const refused = await machine.runWith({}, 'list', ...other);
    assert.match(refused.error?.message ?? '', /systemd-boot does not read it/);
    const inspected = await machine.runWith({}, 'image', 'inspect', at('disk.raw'), '--json');
    assert.match(JSON.parse(inspected.output).esps[0].boots, /nixos-generation-2-/);
  });

  test('is refused where the boot loader finds none on a disk with sectors of 4096 bytes', async (t) => {
    const { machine, at, put } = anExample(t, 'make-disk-image.toml');
    const none = /systemd-boot 257\.1 finds no XBOOTLDR partition .* 4096 bytes: expected 261/;
    const build = ['image', 'build', at('image.toml'), '--sector-size', '4096', '--force'];
    const sized = DESCRIPTION.replaceAll(/size = .*/g, 'size = "300MiB"');
    put('image.toml', sized);
    const refused = await machine.runWith({}, ...build);
    assert.equal(refused.error?.code, 'CONFIG_INVALID');
    assert.match(refused.error.message, none);
    assert.equal(existsSync(at('disk.raw')), false);

    // Without entries there is nothing to be found yet, and install asks again.
    put('image.toml', sized.replace(/\[partition\.uki\].*/s, ''));
    assert.equal((await machine.runWith({}, ...build)).error, undefined);
    const place = ['--esp', `${at('disk.raw')}#1`, '--xbootldr', `${at('disk.raw')}#2`];
    const from = ['--profiles', machine.profiles, '--systemd', at('systemd'), '--allow-unsigned'];
    const old = await machine.runWith({}, 'install', ...place, ...from);
    assert.equal(old.error?.code, 'CONFIG_INVALID');
    assert.match(old.error.message, none);
    machine.brings('262');
    const { status } = await machine.runWith({}, 'install', ...place, ...from);
    assert.equal(status, 0);
    // The newer one stays.
    machine.brings('257.1');
    assert.equal((await machine.runWith({}, 'install', ...place, ...from)).status, 0);
  });
});
