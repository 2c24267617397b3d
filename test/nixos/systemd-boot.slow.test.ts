/** What a configuration of nixpkgs' module for systemd-boot says holds with the module, too, or is refused. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { readSettings, type Settings } from '../../src/settings/settings.ts';
import { aMachine } from '../command/a-machine.ts';
import { attempt } from '../lab/run.ts';
import {
  espalierIs,
  evaluated,
  LIBRARIES,
  makeWorkplace,
  removeWorkplace,
  type System,
  skipWithoutNix,
  systemOf,
  type Workplace,
} from './an-evaluation.ts';
import { installs, systemOn } from './on-a-machine.ts';

/** Everything at once that a person may have there, with files of a folder of packages. */
const everything = (packages: string) => `
  boot.loader.systemd-boot = {
    memtest86.enable = true;
    netbootxyz = { enable = true; sortKey = "z_net"; };
    edk2-uefi-shell.enable = true;
    windows = {
      "11-home" = { efiDeviceHandle = "HD0c3"; };
      "10" = { efiDeviceHandle = "FS1"; title = "Old"; sortKey = "z_old"; };
    };
    extraEfiDrivers."ext4_x64.efi" = "${packages}/ext4_x64.efi";
    extraEntries."mine.conf" = "title Mine\nefi /efi/mine.efi\n";
    extraFiles."efi/mine.efi" = "${packages}/mine.efi";
  };`;

const SHELL = '/efi/edk2-uefi-shell/shell.efi';
const windows = (handle: string) =>
  String.raw`options -nointerrupt -nomap -noversion ${handle}:EFI\Microsoft\Boot\Bootmgfw.efi`;

/** The entries that nixpkgs' builder makes of it. */
const ENTRIES: Readonly<Record<string, readonly string[]>> = {
  'memtest86.conf': ['title Memtest86+', 'efi /efi/memtest86/memtest.efi', 'sort-key o_memtest86'],
  'netbootxyz.conf': ['title netboot.xyz', 'efi /efi/netbootxyz/netboot.xyz.efi', 'sort-key z_net'],
  'edk2-uefi-shell.conf': ['title EDK2 UEFI Shell', `efi ${SHELL}`, 'sort-key o_edk2-uefi-shell'],
  'windows_11-home.conf': [
    'title Windows 11-home',
    `efi ${SHELL}`,
    windows('HD0c3'),
    'sort-key o_windows_11-home',
  ],
  'windows_10.conf': ['title Old', `efi ${SHELL}`, windows('FS1'), 'sort-key z_old'],
  'mine.conf': ['title Mine', 'efi /efi/mine.efi'],
};

/** The files that it puts on the ESP, by the places that they have in the packages. */
const FILES: Readonly<Record<string, string>> = {
  'efi/memtest86/memtest.efi': 'memtest86plus/memtest.efi',
  'efi/netbootxyz/netboot.xyz.efi': 'netboot.xyz.efi',
  'efi/edk2-uefi-shell/shell.efi': 'edk2-uefi-shell/shell.efi',
  'EFI/systemd/drivers/ext4_x64.efi': 'ext4_x64.efi',
  'efi/mine.efi': 'mine.efi',
};

/** Makes the packages whose programs are put on the ESP, and returns their folder. */
function packagesIn({ folder, environment }: Workplace): string {
  const packages = environment['PACKAGES'] ?? folder;
  for (const name of Object.values(FILES)) {
    mkdirSync(dirname(join(packages, name)), { recursive: true });
    writeFileSync(join(packages, name), `the bytes of ${name}`);
  }
  return packages;
}

for (const { library, checkout, skip } of LIBRARIES) {
  suite(`boot.loader.systemd-boot, by ${library}`, { skip }, () => optionsHold(checkout));
}

function optionsHold(checkout: string | undefined): void {
  let workplace: Workplace;
  let packages: string;
  before(() => {
    workplace = makeWorkplace(checkout);
    packages = packagesIn(workplace);
  });
  after(() => removeWorkplace(workplace));

  const systemWith = (beside: string, settings = 'pkiBundle = "/keys";') =>
    systemOf(espalierIs(settings, beside), workplace);
  const settingsOf = ({ configFile }: System) =>
    readSettings({ config: configFile }, {}, nodeDisk());
  const loaderConf = (settings: Settings) =>
    readFileSync(settings['loader-conf'] ?? '', 'utf8').split('\n');

  test('menu: programs, Windows, drivers, entries and files of a person are those of nixpkgs', async () => {
    const system = systemWith(everything(packages));
    assert.deepEqual(system.complaints, []);
    const { 'extra-entries': entries, 'extra-files': files } = await settingsOf(system);
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(entries).map(([name, from]) => [
          name,
          'text' in from ? from.text.trimEnd().split('\n') : [],
        ]),
      ),
      ENTRIES,
    );
    assert.deepEqual(
      files,
      Object.fromEntries(
        Object.entries(FILES).map(([path, name]) => [
          path,
          { source: join(packages, name), sign: false },
        ]),
      ),
    );
  });

  test('menu: without any of these options there is nothing beside the generations', async () => {
    const settings = await settingsOf(systemWith(''));
    assert.deepEqual(settings['extra-entries'], {});
    assert.deepEqual(settings['extra-files'], {});
  });

  test('Windows alone brings the shell that starts it, and no entry for the shell', async () => {
    const windowsAlone = 'boot.loader.systemd-boot.windows."11".efiDeviceHandle = "HD0c3";';
    const settings = await settingsOf(systemWith(windowsAlone));
    assert.deepEqual(Object.keys(settings['extra-entries']), ['windows_11.conf']);
    assert.deepEqual(Object.keys(settings['extra-files']), ['efi/edk2-uefi-shell/shell.efi']);
  });

  test('programs that firmware would not start are told, until they are signed or nothing is', async () => {
    const programs = `boot.loader.systemd-boot = {
      memtest86.enable = true;
      extraEfiDrivers."ext4_x64.efi" = "${packages}/ext4_x64.efi";
    };`;
    const { warnings } = systemWith(programs);
    assert.equal(warnings.length, 1);
    const [program, driver] = ['efi/memtest86/memtest.efi', 'EFI/systemd/drivers/ext4_x64.efi'];
    assert.ok(warnings[0]?.includes(`start ${program}, ${driver}.`), warnings[0]);
    const all = `pkiBundle = "/keys"; signExtraFiles = [ "${program}" "${driver}" ];`;
    const signed = systemWith(programs, all);
    assert.deepEqual([signed.warnings, signed.complaints], [[], []]);
    const { 'extra-files': files } = await settingsOf(signed);
    assert.ok(Object.values(files).every(({ sign }) => sign));
    assert.deepEqual(systemWith(programs, 'allowUnsigned = true;').warnings, []);
  });

  test('entries and files of both modules are installed', async () => {
    const own = `
      allowUnsigned = true;
      extraFiles."x.efi" = "${packages}/mine.efi";
      extraEntries."x.conf" = "title X";`;
    const settings = await settingsOf(systemWith(everything(packages), own));
    assert.deepEqual(
      Object.keys(settings['extra-files']).sort(),
      [...Object.keys(FILES), 'x.efi'].sort(),
    );
    assert.ok('x.conf' in settings['extra-entries']);
  });

  /** Options that become lines of loader.conf. */
  const LINES: readonly (readonly [option: string, value: string, line: string])[] = [
    ['boot.loader.timeout', 'null', 'timeout menu-force'],
    ['boot.loader.timeout', '0', 'timeout 0'],
    ['boot.loader.systemd-boot.consoleMode', '"max"', 'console-mode max'],
    ['boot.loader.systemd-boot.editor', 'false', 'editor false'],
    ['boot.loader.systemd-boot.rebootForBitlocker', 'true', 'reboot-for-bitlocker true'],
  ];
  test('loader.conf has what the options say', async () => {
    for (const [option, value, line] of LINES) {
      const lines = loaderConf(await settingsOf(systemWith(`${option} = ${value};`)));
      assert.ok(lines.includes(line), `${option} = ${value}: ${lines.join('; ')}`);
    }
  });

  test('how many generations, what they are sorted by, and how often they are tried', async () => {
    const options = `boot.loader.systemd-boot = {
      configurationLimit = 7; sortKey = "mine"; bootCounting = { enable = true; tries = 4; };
    };`;
    const system = systemWith(options);
    const settings = await settingsOf(system);
    assert.deepEqual([settings.limit, settings['boot-counting']], [7, 4]);
    const sorted = { 'org.nix-community.lanzaboote': { sort_key: 'mine' } };
    assert.deepEqual(system.bootspec.extensions, sorted);
    const untold = 'boot.loader.systemd-boot.bootCounting.tries = 4;';
    assert.equal((await settingsOf(systemWith(untold)))['boot-counting'], 0);
  });

  test('firmware is told of the loader where it may be, and the services may tell it', async () => {
    const may = systemWith('boot.loader.efi.canTouchEfiVariables = true;');
    assert.equal((await settingsOf(may))['efi-entry'], true);
    const { BindPaths } = may.systemd.services['espalier-watch']?.serviceConfig ?? {};
    assert.deepEqual(BindPaths, ['', '"-/boot"', '"-/sys/firmware/efi/efivars"']);
    // `graceful` changes nothing: what firmware refuses is a warning, and there is no random seed.
    for (const beside of ['', 'boot.loader.systemd-boot.graceful = true;']) {
      assert.equal((await settingsOf(systemWith(beside)))['efi-entry'], false);
    }
    const but = 'pkiBundle = "/keys"; extraSettings.efi-entry = false;';
    const own = systemWith('boot.loader.efi.canTouchEfiVariables = true;', but);
    assert.equal((await settingsOf(own))['efi-entry'], false);
  });

  test('the XBOOTLDR partition is that of nixpkgs, and shown to the services', async () => {
    const places = `
      boot.loader.efi.efiSysMountPoint = "/efi";
      boot.loader.systemd-boot.xbootldrMountPoint = "/boot";`;
    const own = 'pkiBundle = "/keys"; extraSettings.former-xbootldr = "/old";';
    const system = systemWith(places, own);
    assert.deepEqual(system.complaints, []);
    const settings = await settingsOf(system);
    assert.deepEqual([settings.esp, settings.xbootldr], [['/efi'], '/boot']);
    const { BindPaths, BindReadOnlyPaths } =
      system.systemd.services['espalier-watch']?.serviceConfig ?? {};
    assert.deepEqual(BindPaths, ['', '"-/efi"', '"-/boot"', '"-/old"']);
    assert.ok((BindReadOnlyPaths as string[]).includes('"-/run/udev/data"'));
  });

  test('a generation names its device tree, as one of nixpkgs does', () => {
    const tree = 'hardware.deviceTree = { enable = true; name = "a/b.dtb"; package = "/dtbs"; };';
    const extension = (beside: string) =>
      systemWith(beside).bootspec.extensions['org.nixos.systemd-boot'];
    assert.deepEqual(extension(tree), { devicetree: '/dtbs/a/b.dtb' });
    assert.equal(
      extension(`${tree} boot.loader.systemd-boot.installDeviceTree = false;`),
      undefined,
    );
    assert.equal(extension('hardware.deviceTree.enable = true;'), undefined);
  });

  test('a release of nixpkgs that lacks most of these options is enough', async () => {
    const file = evaluated(espalierIs('pkiBundle = "/keys";'), 'older', workplace) as string;
    const settings = await readSettings({ config: file }, {}, nodeDisk());
    assert.deepEqual([settings.esp, settings['boot-counting']], [['/boot'], 0]);
  });

  test('commands that follow an installation are carried out, those of both modules', () => {
    const theirs = 'boot.loader.systemd-boot.extraInstallCommands = "echo theirs";';
    const own = 'pkiBundle = "/keys"; extraInstallCommands = "echo own";';
    const { hook } = systemWith(theirs, own);
    const following = /\S+-espalier-after-install/.exec(readFileSync(hook, 'utf8'))?.[0] ?? '';
    const { stdout } = attempt('sh', [following]);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['own', 'theirs']);
  });

  const REFUSED: readonly (readonly [what: string, beside: string, complaint: RegExp])[] = [
    [
      'a name of Windows',
      'windows."1 1".efiDeviceHandle = "FS1";',
      /windows\.1 1: expected a name/,
    ],
    ['an entry in a folder', 'extraEntries."a/b.conf" = "";', /"a\/b\.conf": expected a file name/],
    ['an entry of another name', 'extraEntries."a.txt" = "";', /"a\.txt": expected a file name/],
    ['a path from the root', 'extraFiles."/a" = "/x";', /"\/a": expected a path/],
    ['a path out of the ESP', 'extraFiles."a/../b" = "/x";', /"a\/\.\.\/b": expected a path/],
    ['no device tree', 'installDeviceTree = true;', /there is no device tree to install/],
  ];
  for (const [what, option, complaint] of REFUSED) {
    test(`refuses before anything is built: ${what}`, () => {
      const { complaints } = systemWith(`boot.loader.systemd-boot = { ${option} };`);
      assert.equal(complaints.length, 1, complaints.join('\n'));
      assert.match(complaints[0] ?? '', complaint);
    });
  }
}

suite('boot.loader.systemd-boot on an ESP', { skip: skipWithoutNix }, () => {
  test('has its programs, drivers and entries there after one run of the hook', (t) => {
    const workplace = makeWorkplace();
    t.after(() => removeWorkplace(workplace));
    const machine = aMachine(t, { generations: [{}, {}] });
    const packages = packagesIn(workplace);
    const beside = `
      boot.loader.efi.canTouchEfiVariables = true;
      boot.loader.timeout = null;
      ${everything(packages)}`;
    const { hook, complaints } = systemOn(machine, '', beside, workplace);
    assert.deepEqual(complaints, []);
    const { status, stderr } = installs(machine, hook, 2);
    assert.equal(status, 0, stderr);
    assert.deepEqual(machine.installed(), [1, 2]);
    for (const [path, name] of Object.entries(FILES)) {
      // FAT knows no case; the folder that is there keeps its name.
      assert.equal(machine.read(path.replace(/^efi/, 'EFI')), `the bytes of ${name}`);
    }
    for (const [name, lines] of Object.entries(ENTRIES)) {
      const text = machine.read(`loader/entries/${name}`);
      assert.deepEqual(text.trimEnd().split('\n'), lines);
    }
    assert.match(machine.read('loader/loader.conf'), /^timeout menu-force$/m);
  });
});
