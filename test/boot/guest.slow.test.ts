/** On the kernel's own vfat: the installer insists on a mounted one, and writes to it only what changed. */
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { after, suite, test } from 'node:test';
import { memberFrom, membersUnder } from '../lab/cpio.ts';
import { copyOff, makeEmptyImage } from '../lab/esp-image.ts';
import { runInGuest } from '../lab/guest.ts';
import type { GuestRan } from '../lab/guest-commands.ts';
import { type DemoWorld, makeProfiles } from '../lab/profiles.ts';
import { bootImage } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import {
  assertBooted,
  doneWithWarnings,
  install as installInto,
  once,
  placeSettings,
  theParts,
  whatIsMissing,
} from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools']);
const repository = resolve(import.meta.dirname, '../..');
const refused = 3;
const imageSize = 256 * 1024 * 1024;
/** Sectors written to the disk since the machine started (Linux Documentation/block/stat). */
const sectorsWritten = "sync; awk '{ print $7 }' /sys/block/vda/stat";

suite('on a mounted vfat', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-vfat-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const image = join(folder, 'esp.img');
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));
  const ran = once(() => installInGuest(world(), image));
  const result = async (index: number): Promise<GuestRan> => {
    const found = (await ran())[index];
    assert.ok(found !== undefined);
    return found;
  };
  const assertRefused = async (index: number, code: string): Promise<void> => {
    const { status, output } = await result(index);
    assert.equal(status, refused, output);
    assert.ok(output.includes(code), output);
  };

  test('install fills it, and the file system is sound afterwards', { skip }, async () => {
    const { status, output } = await result(0);
    assert.equal(status, doneWithWarnings, output);
    run('fsck.vfat', ['-n', image]);
  });

  test('a second run writes not one sector', { skip }, async () => {
    const { status, output } = await result(2);
    const before = await result(1);
    const afterwards = await result(3);
    assert.equal(status, doneWithWarnings, output);
    assert.ok(Number(before.output) > 0);
    assert.equal(afterwards.output, before.output);
  });

  test('a directory that is no mount point is refused', { skip }, () =>
    assertRefused(4, 'ESP_NOT_MOUNTED'),
  );

  test('a mounted file system that is not FAT is refused', { skip }, () =>
    assertRefused(5, 'ESP_NOT_FAT'),
  );

  test('a read-only ESP is refused', { skip }, () => assertRefused(6, 'ESP_READ_ONLY'));

  test('the mount point of an ESP that is not mounted is refused', { skip }, () =>
    assertRefused(7, 'ESP_NOT_MOUNTED'),
  );

  test('what it wrote is byte for byte what it writes into a directory', { skip }, async () => {
    await ran();
    const written = join(folder, 'written');
    copyOff(image, written);
    const esp = join(folder, 'esp');
    // The format that is chosen for generations of which some share kernel and initrd.
    installInto({ esp, world: world(), format: 'shared' });
    assert.deepEqual(contentOf(written), contentOf(esp));
  });

  test('what it wrote boots the current generation', { skip }, async () => {
    await ran();
    assertBooted(await bootImage({ parts: theParts(), image }), '5');
  });
});

/** Returns the digest of every file below a directory, by its path there. */
function contentOf(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((e) => join(e.parentPath, e.name));
  return Object.fromEntries(
    paths.map((path) => [relative(directory, path), hash('sha256', readFileSync(path))]),
  );
}

/** Runs the installer in the guest, on good and bad targets, and returns what each run did. */
async function installInGuest(world: DemoWorld, image: string): Promise<readonly GuestRan[]> {
  const parts = theParts();
  run(process.execPath, [join(repository, 'tools/build.ts')]);
  makeEmptyImage(image, imageSize);
  const systemd = parts.systemdRoot[257];
  const systemdFiles = `--systemd ${systemd} --stub ${parts.stub[257]}`;
  const loaderConf = placeSettings(world);
  const settings = `--profiles ${world.profiles} ${systemdFiles} --loader-conf ${loaderConf}`;
  const install = (esp: string): string =>
    `node /espalier.mjs install --esp ${esp} ${settings} --cache-dir /cache --allow-unsigned`;
  return runInGuest({
    parts,
    image,
    members: [
      memberFrom('espalier.mjs', join(repository, 'dist/espalier.mjs')),
      ...membersUnder(world.root),
      ...membersUnder(join(systemd, 'lib/systemd/boot')),
    ],
    commands: [
      // FAT keeps whole days of access: under relatime the kernel rewrites them at every reading
      `mount -o remount,noatime /boot; ${install('/boot')}`,
      sectorsWritten,
      install('/boot'),
      sectorsWritten,
      `mkdir -p /plain; ${install('/plain')}`,
      `mkdir -p /other; mount -t tmpfs other /other; ${install('/other')}`,
      `mount -o remount,ro /boot; ${install('/boot')}`,
      `umount /boot; ${install('/boot')}`,
    ],
  });
}
