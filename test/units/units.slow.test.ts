/** The unit files: what systemd's own tools say of them, and that each line has its reason. */
import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, suite, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run as runProgram } from '../../src/command/program.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { type UnitFile, unitFiles } from '../../src/units/files.ts';
import { reach } from '../../src/units/reach.ts';
import { bundle } from '../../tools/bundle.ts';
import { once } from '../boot/installed.ts';
import { attempt, run } from '../lab/run.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const checkedIn = resolve(import.meta.dirname, '../../systemd');

/** The unit files of a machine that has everything at its usual place. */
async function usual(): Promise<readonly UnitFile[]> {
  const disk = new MemoryDisk({ files: { '/proc/self/mountinfo': '', '/etc/x': '' } });
  return unitFiles({
    node: '/usr/bin/node',
    program: '/usr/lib/espalier/espalier.mjs',
    notify: '/usr/bin/systemd-notify',
    ...reach(await readSettings({}, {}, disk), undefined, disk),
  });
}

suite('the unit files', () => {
  test('in systemd/ are those of a machine with everything at its usual place', async () => {
    const files = await usual();
    if (process.env['UPDATE_GOLDEN']) {
      mkdirSync(checkedIn, { recursive: true });
      for (const { name, text } of files) writeFileSync(join(checkedIn, name), text);
    }
    const there = readdirSync(checkedIn).filter((name) => !['nixos', 'hooks'].includes(name));
    assert.deepEqual(there.sort(), files.map(({ name }) => name).sort());
    for (const { name, text } of files) {
      assert.equal(readFileSync(join(checkedIn, name), 'utf8'), text, `${name}: UPDATE_GOLDEN=1`);
    }
  });

  test('hide none of the modules by which an installed kernel is whole', async () => {
    for (const { text } of (await usual()).filter(({ name }) => name.endsWith('.service'))) {
      assert.match(text, /^BindReadOnlyPaths=.* -\/usr\/lib\/modules /m);
      // Confinement would say "yes" where a unit says nothing.
      assert.match(text, /^ProtectKernelModules=no$/m);
    }
  });

  test('have a reason above every setting, in one line', async () => {
    for (const { name, text } of await usual()) {
      const groups = text.split(/^(?=#)/m).slice(1);
      assert.ok(groups.length > 5);
      for (const group of groups) assert.match(group, /^# .{10,}\.\n/, `${name}: ${group}`);
      assert.doesNotMatch(text, /\]\n[^#]/, `${name}: a section that begins without a reason`);
    }
  });

  test('reach the XBOOTLDR partition, a former one, and what udev says of them', async () => {
    const disk = new MemoryDisk({ files: { '/proc/self/mountinfo': '' } });
    const flags = { esp: '/efi', xbootldr: '/boot', 'former-xbootldr': '/old' };
    const { writable, readable } = reach(await readSettings(flags, {}, disk), undefined, disk);
    assert.deepEqual(writable, ['/efi', '/boot', '/old']);
    assert.ok(readable.includes('/run/udev/data'));
  });

  test('reach what every setting of the table names, and of the usual places what is not named', async () => {
    const toml = `
      profiles = ["/p", "/q/system-3-link"]
      systemd = "/sd"
      state-dir = "/state"
      disk = ["/a.img", "/b.img"]
      cache-dir = "/cache"
      pcrlock-directory = "/records"
      signatures = "/s.json"
      [extra-files]
      "EFI/x.efi" = { source = "/x.efi", sign = true }
      [extra-entries]
      "y.conf" = { source = "/y.conf" }
      [sections]
      splash = "/z.bmp"
      [extra-sign]
      "/lib/fwupd.efi" = "/signed/fwupd.efi.signed"
      "/lib/memtest.efi" = "/signed/memtest.efi"`;
    const sources = Object.fromEntries(['/x.efi', '/y.conf', '/z.bmp'].map((at) => [at, '']));
    const files = { '/proc/self/mountinfo': '', '/etc/espalier.toml': toml, ...sources };
    const disk = new MemoryDisk({ files });
    const { writable, readable } = reach(await readSettings({}, {}, disk), undefined, disk);
    assert.deepEqual(writable, ['/efi', '/boot', '/boot/efi', '/cache', '/records', '/signed']);
    assert.deepEqual(readable, [
      ...['/etc/espalier.toml', '/p', '/q', '/state', '/usr/lib/modules', '/etc/machine-id'],
      ...['/etc/kernel', '/sd/lib/systemd/boot/efi', '/s.json'],
      ...['/run/booted-system', '/nix/var/nix/gcroots', '/a.img', '/b.img'],
      ...['/x.efi', '/y.conf', '/z.bmp', '/lib/fwupd.efi', '/lib/memtest.efi'],
      ...['/nix/store', '/run/systemd/notify'],
    ]);
  });

  test('of an executable with Node inside name it alone, and Node’s options to it', () => {
    const [watcher] = unitFiles({
      node: '/usr/bin/espalier',
      program: '/usr/bin/espalier',
      notify: '/usr/bin/systemd-notify',
      writable: [],
      readable: [],
    });
    const start = 'ExecStart=/usr/bin/espalier "--node-options=--jitless --no-warnings" watch';
    assert.ok(watcher?.text.includes(start), watcher?.text);
  });

  test('name any path as systemd reads it', () => {
    const odd = `/a b/100%/$HOME/"c"/d:e`;
    const [watcher] = unitFiles({
      node: odd,
      program: '/p.mjs',
      notify: '/usr/bin/systemd-notify',
      config: odd,
      writable: [odd],
      readable: ['/r'],
    });
    const text = watcher?.text ?? '';
    const start = String.raw`ExecStart="/a b/100%%/$$HOME/\"c\"/d:e" --jitless /p.mjs watch`;
    assert.ok(text.includes(start), text);
    const copy = String.raw`config copy /run/espalier/watch.toml --config "/a b/100%%/$$HOME/\"c\"/d:e"`;
    assert.ok(text.includes(copy), text);
    assert.match(text, /^ExecReload=.* --hangup \$MAINPID$/m);
    const bind = String.raw`BindPaths="-/a b/100%%/$HOME/\"c\"/d:e"`;
    assert.ok(text.includes(`${bind}\n`), text);
  });
});

suite('`units`', () => {
  const skip = attempt('systemd-analyze', ['--version']).status !== 0 && 'SKIPPED, needs systemd';
  const folder = mkdtempSync(join(tmpdir(), 'espalier-units-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const directory = join(folder, 'lib/systemd/system');
  const config = join(folder, 'espalier.toml');
  writeFileSync(config, 'esp = "/efi"\nprofiles = "/srv/profiles"\ncertificate = "/keys/db.pem"\n');

  const installed = once(async () =>
    run(process.execPath, [await bundle(), 'units', '--prefix', folder, '--config', config]),
  );
  const paths = () => readdirSync(directory).filter((name) => /\.(service|timer)$/.test(name));

  test('writes what systemd-analyze verifies without a word, for everyone to read', {
    skip,
  }, async () => {
    await installed();
    const files = paths().map((name) => join(directory, name));
    const { status, stdout, stderr } = attempt('systemd-analyze', ['verify', '--man=no', ...files]);
    assert.equal(stdout + stderr, '');
    assert.equal(status, 0);
    for (const file of files) assert.equal(statSync(file).mode & 0o777, 0o644);
  });

  test('writes services that systemd-analyze rates 2.0 or better', { skip }, async () => {
    await installed();
    for (const name of paths().filter((path) => path.endsWith('.service'))) {
      const limit = ['--offline=true', '--threshold=20', '--no-pager'];
      const { status, stdout } = attempt('systemd-analyze', [
        'security',
        ...limit,
        join(directory, name),
      ]);
      assert.equal(status, 0, stdout);
      assert.match(stdout, /Overall exposure level for .*: [01]\.\d/);
    }
  });

  test('confines them, and shows them what the configuration names', { skip }, async () => {
    await installed();
    const file = join(directory, 'espalier-watch.service');
    const unit = readFileSync(file, 'utf8');
    assert.match(unit, /^BindPaths=-\/efi$/m);
    assert.match(
      unit,
      new RegExp(`^BindReadOnlyPaths=-${config} -/srv/profiles .*-/keys/db.pem`, 'm'),
    );
    assert.ok(unit.includes(`config copy /run/espalier/watch.toml --config ${config}`), unit);
    const dropIn = readFileSync(`${file}.d/confinement.conf`, 'utf8');
    assert.match(dropIn, /^TemporaryFileSystem=\/$/m);
    assert.match(dropIn, /^BindReadOnlyPaths=.*\/systemd-notify$/m);
    assert.doesNotMatch(dropIn, /\/bin\/sh/);
  });

  test('says the same when it runs again', { skip }, async () => {
    const before = await installed();
    const contents = () => paths().map((name) => readFileSync(join(directory, name), 'utf8'));
    const texts = contents();
    const again = run(process.execPath, [
      await bundle(),
      'units',
      '--prefix',
      folder,
      '--config',
      config,
    ]);
    assert.equal(again, before);
    assert.deepEqual(contents(), texts);
  });

  test('--kernel-hooks writes the hooks of the package managers that are here, for them to run', {
    skip,
  }, async () => {
    const etc = join(folder, 'etc');
    const words = ['units', '--prefix', folder, '--config', config, '--kernel-hooks', '--etc', etc];
    const { written } = JSON.parse(run(process.execPath, [await bundle(), ...words, '--json'])) as {
      written: string[];
    };
    const hook = join(folder, 'lib/espalier/kernel-hook');
    assert.ok(written.includes(hook));
    assert.equal(statSync(hook).mode & 0o777, 0o755);
    const dpkg = join(etc, 'kernel/postinst.d/zz-espalier');
    assert.ok(written.includes(dpkg));
    assert.ok(readFileSync(dpkg, 'utf8').includes(`exec ${hook} add "$@"`));
    assert.ok(!written.some((path) => path.includes('pacman')));
  });

  test('keep the key out of core dumps, the locks for root, and memory in bounds', async () => {
    for (const { name, text } of await usual()) {
      if (!name.endsWith('.service')) continue;
      for (const line of ['LimitCORE=0', 'RuntimeDirectoryMode=0700'])
        assert.ok(text.includes(`\n${line}\n`), `${name}: ${line}`);
      assert.match(text, /^MemoryMax=\d+%$/m);
    }
  });

  test('refuses what the services do not see, and names a place for it', async () => {
    const run = (program: string, ...args: string[]) =>
      runProgram(
        ['units', '--prefix', folder, ...args],
        '0.0.0',
        processContext(pathToFileURL(program)),
      );
    const refusal = (path: string, place: string) => (error: unknown) => {
      assert.match(String(Object(error).message), new RegExp(`^${path} .*lies in a home`));
      assert.ok(String(Object(error).hint).includes(place));
      return true;
    };
    for (const home of ['/home/me', '/root', '/run/user/1000']) {
      const checkout = `${home}/espalier/dist/espalier.mjs`;
      await assert.rejects(run(checkout), refusal(checkout, '/usr/local/lib/espalier'));
      const settings = join(folder, 'homely.toml');
      writeFileSync(settings, `esp = "/efi"\nprivate-key = "${home}/db.key"\n`);
      await assert.rejects(
        run('/usr/lib/espalier.mjs', '--config', settings),
        refusal(`${home}/db.key`, '/etc/espalier'),
      );
    }
  });

  test('wants the bundle, and Node where it is said to be', async () => {
    const context = processContext(pathToFileURL('/usr/src/main.ts'));
    const units = (...args: string[]) =>
      runProgram(['units', '--prefix', folder, ...args], '0.0.0', context);
    await assert.rejects(units(), { code: 'CONFIG_INVALID' });
    await assert.rejects(units('--node', '/none/node'), { code: 'FILE_MISSING' });
  });
});
