/** The NixOS module: what a configuration makes of a system, as Nix evaluates it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { reach } from '../../src/units/reach.ts';
import { run } from '../lab/run.ts';
import {
  espalierIs,
  evaluated,
  LIBRARIES,
  makeWorkplace,
  removeWorkplace,
  systemOf,
  tried,
  type Workplace,
} from './an-evaluation.ts';

const nixFiles = resolve(import.meta.dirname, '../../systemd/nixos');

/** The options of lanzaboote's module with their types and, where they have one, their defaults. */
const LANZABOOTE: readonly (readonly [name: string, type: string, fallback?: unknown])[] = [
  ['enable', 'boolean'],
  ['configurationLimit', 'null or signed integer', null],
  ['pkiBundle', 'null or absolute path not in the Nix store'],
  ['publicKeyFile', 'absolute path', '/keys/keys/db/db.pem'],
  ['privateKeyFile', 'absolute path', '/keys/keys/db/db.key'],
  ['package', 'package'],
  [
    'settings',
    'open submodule of attribute set of anything',
    { 'console-mode': 'keep', editor: true, timeout: 5 },
  ],
  ['sortKey', 'string', 'lanza'],
  [
    'bootCounting.initialTries',
    '32 bit unsigned integer; between 0 and 4294967295 (both inclusive)',
    0,
  ],
  ['logLevel', 'one of "info", "debug"', 'info'],
  ['installCommand', 'string'],
  ['extraEfiSysMountPoints', 'list of string', []],
  ['allowUnsigned', 'boolean', false],
  ['autoGenerateKeys.enable', 'boolean', false],
  ['autoEnrollKeys.enable', 'boolean', false],
  ['autoEnrollKeys.autoReboot', 'boolean', false],
  ['autoEnrollKeys.includeMicrosoftKeys', 'boolean', true],
  ['autoEnrollKeys.includeFirmwareBuiltinKeys', 'boolean', false],
  ['autoEnrollKeys.includeChecksumsFromTPM', 'boolean', false],
  ['autoEnrollKeys.allowBrickingMyMachine', 'boolean', false],
  ['measuredBoot.enable', 'boolean', false],
  ['measuredBoot.pcrs', 'list of (one of 0, 1, 2, 3, 4, 7)', []],
  ['measuredBoot.pcrlockDirectory', 'absolute path', '/var/lib/pcrlock.d'],
  ['measuredBoot.pcrlockPolicy', 'absolute path', '/var/lib/systemd/pcrlock.json'],
  ['measuredBoot.upstreamStaticMeasurements', 'list of string', []],
  ['measuredBoot.staticMeasurements', 'attribute set of (submodule)', {}],
  ['measuredBoot.autoCryptenroll.enable', 'boolean', false],
  ['measuredBoot.autoCryptenroll.device', 'null or string', null],
  ['measuredBoot.autoCryptenroll.autoReboot', 'boolean', false],
];

/** Follows a name with dots. */
function valueAt(value: unknown, name: string): unknown {
  return name.split('.').reduce((found, key) => (found as Record<string, unknown>)[key], value);
}

for (const { library, checkout, skip } of LIBRARIES) {
  suite(`the NixOS module, by ${library}`, { skip }, () => moduleHolds(checkout));
}

function moduleHolds(checkout: string | undefined): void {
  let workplace: Workplace;
  before(() => {
    workplace = makeWorkplace(checkout);
  });
  after(() => removeWorkplace(workplace));
  const packages = () => workplace.environment['PACKAGES'] ?? '';
  const settingsIn = (config: string) => readSettings({ config }, {}, nodeDisk());

  test('and the package are Nix', () => {
    const files = readdirSync(nixFiles);
    assert.ok(files.includes('module.nix') && files.includes('package.nix'));
    const { environment: env } = workplace;
    for (const file of files) run('nix-instantiate', ['--parse', join(nixFiles, file)], { env });
  });

  test('does nothing until it is enabled', () => {
    const untouched = (attribute: string) => evaluated('{ }', `config.${attribute}`, workplace);
    assert.deepEqual(untouched('systemd.services'), {});
    assert.deepEqual(untouched('systemd.packages'), []);
    assert.deepEqual(untouched('environment.etc'), {});
    assert.equal(untouched('boot.loader.external.enable'), false);
  });

  test('has every option of lanzaboote, of the same type and with the same default', () => {
    const options = evaluated('{ }', 'options', workplace) as Record<string, string>;
    const configuration = espalierIs('pkiBundle = "/keys";');
    const values = evaluated(configuration, 'config.boot.espalier', workplace);
    for (const [name, type, fallback] of LANZABOOTE) {
      // Where lanzaboote has to be told, there is null: the assertions say what to do about it.
      assert.ok(
        [type, `null or ${type}`].includes(options[name] ?? ''),
        `${name}: ${options[name]}`,
      );
      if (fallback !== undefined) assert.deepEqual(valueAt(values, name), fallback, name);
    }
  });

  test('takes a configuration of lanzaboote and installs the same, in the same places', async () => {
    const lanzaboote = `
      enable = true;
      pkiBundle = "/var/lib/sbctl";
      configurationLimit = 8;
      extraEfiSysMountPoints = [ "/boot-mirror" ];
      bootCounting.initialTries = 3;
      sortKey = "mine";
      logLevel = "debug";
      settings = { beep = true; editor = null; default = "@saved"; };`;
    const moved = espalierIs(lanzaboote.replace('enable = true;', ''));
    const system = systemOf(moved, workplace);
    assert.deepEqual(system.complaints, []);
    const settings = await settingsIn(system.configFile);
    assert.deepEqual(settings.esp, ['/boot', '/boot-mirror']);
    assert.equal(settings.certificate, '/var/lib/sbctl/keys/db/db.pem');
    assert.equal(settings['private-key'], '/var/lib/sbctl/keys/db/db.key');
    assert.equal(settings['allow-unsigned'], false);
    assert.equal(settings.limit, 8);
    assert.equal(settings['boot-counting'], 3);
    assert.equal(settings.system, 'x86_64-linux');
    assert.equal(settings['keep-default'], true);
    assert.equal(
      readFileSync(settings['loader-conf'] ?? '', 'utf8'),
      'beep true\nconsole-mode keep\ndefault @saved\ntimeout 5\n',
    );
    assert.deepEqual(system.bootspec, {
      extensions: { 'org.nix-community.lanzaboote': { sort_key: 'mine' } },
    });
    assert.equal(system.supportsInitrdSecrets, true);
    assert.equal(
      system.installCommand,
      `/packages/espalier/bin/espalier install -vv --config ${system.configFile}`,
    );
  });

  test('signs an extra file only where it is asked for by name', async () => {
    const source = join(nixFiles, 'module.nix');
    const files = `extraFiles = { "shell.efi" = "${source}"; "ipxe.efi" = "${source}"; };`;
    const signs = async (asked: string) => {
      const { configFile } = systemOf(
        espalierIs(`pkiBundle = "/keys"; ${files} ${asked}`),
        workplace,
      );
      const { 'extra-files': extra } = await settingsIn(configFile);
      return Object.entries(extra).flatMap(([path, { sign }]) => (sign ? [path] : []));
    };
    assert.deepEqual(await signs(''), []);
    assert.deepEqual(await signs('signExtraFiles = [ "ipxe.efi" ];'), ['ipxe.efi']);
    const misspelt = `pkiBundle = "/keys"; ${files} signExtraFiles = [ "shel.efi" ];`;
    const { complaints } = systemOf(espalierIs(misspelt), workplace);
    assert.match(complaints.join(), /signExtraFiles names shel\.efi/);
  });

  test('writes the settings that the hook reads to /etc/espalier.toml', async () => {
    const extra = 'extraSettings = { format = "type1"; reserve = "64M"; limit = 3; };';
    const system = systemOf(espalierIs(`allowUnsigned = true; ${extra}`), workplace);
    assert.equal(system.environment.etc['espalier.toml']?.source, system.configFile);
    const settings = await settingsIn(system.configFile);
    assert.equal(settings.format, 'type1');
    assert.equal(settings.reserve, 64 * 2 ** 20);
    assert.equal(settings.limit, 3);
    assert.equal(settings['allow-unsigned'], true);
    assert.equal(settings.certificate, undefined);
    // The system that was installed last boots next.
    assert.equal(settings['keep-default'], false);
  });

  test('refuses a setting that is not in the table, before anything is built', () => {
    const wrong = 'allowUnsigned = true; extraSettings = { limt = 3; reserve = "1M"; };';
    const { complaints } = systemOf(espalierIs(wrong), workplace);
    assert.equal(complaints.length, 1, complaints.join('\n'));
    assert.match(complaints[0] ?? '', /extraSettings\.limt: there is no such setting/);
  });

  test('shows the services every path that extra settings name', async () => {
    const settings = `
      allowUnsigned = true;
      extraSettings = {
        former-xbootldr = "/old";
        pcrlock-directory = "/records";
        signatures = "/signatures.json";
        certificate = "/db.pem";
        disk = [ "/a.img" "/b.img" ];
        extra-sign."/lib/x.efi" = "/signed/x.efi";
      };`;
    const { systemd, configFile } = systemOf(espalierIs(settings), workplace);
    const { writable, readable } = reach(await settingsIn(configFile), undefined, nodeDisk());
    const { BindPaths, BindReadOnlyPaths } =
      systemd.services['espalier-install']?.serviceConfig ?? {};
    const bound = [BindPaths, BindReadOnlyPaths].map((paths) => (paths as string[]).join(' '));
    for (const path of ['/old', '/records', '/signed']) {
      assert.ok(writable.includes(path), path);
      assert.ok(bound[0]?.includes(`"-${path}"`), path);
    }
    for (const path of ['/signatures.json', '/db.pem', '/a.img', '/b.img', '/lib/x.efi']) {
      assert.ok(readable.includes(path), path);
      assert.ok(bound[1]?.includes(`"-${path}"`), path);
    }
  });

  test('signs by a command where the key is elsewhere', async () => {
    const elsewhere = 'pkiBundle = "/keys"; signingCommand = "/run/hsm/sign --slot 1";';
    const fwupd = 'services.fwupd.enable = true;';
    const { complaints, configFile, systemd, hook } = systemOf(
      espalierIs(`${elsewhere} allowUnsigned = true;`, fwupd),
      workplace,
    );
    assert.deepEqual(complaints, []);
    const settings = await settingsIn(configFile);
    assert.deepEqual(settings['signing-command'], ['/run/hsm/sign', '--slot', '1']);
    assert.equal(settings.certificate, '/keys/keys/db/db.pem');
    assert.equal(settings['private-key'], undefined);
    assert.doesNotMatch(readFileSync(hook, 'utf8'), /db\.key/);
    assert.deepEqual(systemd.services['espalier-watch']?.unitConfig ?? {}, {});
    assert.ok(systemd.services['fwupd-efi']);
  });

  test('takes the units from the package, and shows them what the settings name', async () => {
    const settings = `
      pkiBundle = "/my keys/100%";
      watch.enable = true;
      verify.enable = true;
      extraEfiSysMountPoints = [ "/boot-mirror" ];
      extraSettings = { stub = "/stub.efi"; pins = "/pins"; profiles = [ "/profiles" ]; cache-dir = "/cache"; };`;
    const { complaints, systemd, configFile } = systemOf(espalierIs(settings), workplace);
    assert.deepEqual(complaints, []);
    assert.deepEqual(systemd.packages, ['/packages/espalier']);
    assert.deepEqual(systemd.services['espalier-watch']?.wantedBy, ['multi-user.target']);
    assert.deepEqual(systemd.services['espalier-watch']?.reloadTriggers, [configFile]);
    assert.deepEqual(systemd.timers['espalier-verify']?.wantedBy, ['timers.target']);
    assert.deepEqual(systemd.timers['espalier-metrics']?.wantedBy, []);
    const metrics = systemd.services['espalier-metrics']?.serviceConfig;
    assert.deepEqual(
      (metrics?.['BindPaths'] as string[] | undefined)?.at(-1),
      '"-/var/lib/prometheus/node-exporter"',
    );

    const { writable, readable } = reach(await settingsIn(configFile), undefined, nodeDisk());
    const quoted = (path: string) => `"-${path.replaceAll('%', '%%')}"`;
    for (const name of ['espalier-install', 'espalier-verify', 'espalier-watch']) {
      const { BindPaths, BindReadOnlyPaths, RootDirectory, TemporaryFileSystem } =
        systemd.services[name]?.serviceConfig ?? {};
      assert.deepEqual([RootDirectory, TemporaryFileSystem], ['/var/empty', '/']);
      assert.deepEqual(BindPaths, ['', ...writable.map(quoted)], name);
      const unit = readFileSync(join(nixFiles, '..', `${name}.service`), 'utf8');
      const shown = [...unit.matchAll(/^BindReadOnlyPaths=(.*)$/gm)].join(' ');
      const missing = readable
        .filter((path) => !path.startsWith(join(workplace.folder, 'store')))
        .filter((path) => !shown.includes(`-${path} `) && !shown.endsWith(`-${path}`))
        .filter((path) => !(BindReadOnlyPaths as string[]).includes(quoted(path)));
      assert.deepEqual(missing, [], name);
    }
  });

  test('starts no watcher before there are keys, where they are still to be made', () => {
    const configuration = espalierIs('pkiBundle = "/keys"; autoGenerateKeys.enable = true;');
    const { services } = systemOf(configuration, workplace).systemd;
    const condition = { ConditionPathExists: '/keys/keys/db/db.key' };
    assert.deepEqual(services['espalier-watch']?.unitConfig, condition);
    assert.deepEqual(services['espalier-watch']?.wantedBy, []);
    const maker = services['generate-sb-keys'];
    assert.deepEqual(maker?.unitConfig, { ConditionPathExists: '!/keys/keys' });
    assert.deepEqual(maker?.before, ['espalier-watch.service']);
    assert.equal(maker?.script, 'exec /packages/espalier/bin/espalier keys generate /keys');
  });

  test('signs everything before keys are put where systemd-boot enrols them', () => {
    const enrol = 'autoEnrollKeys = { enable = true; autoReboot = true; };';
    const system = systemOf(espalierIs(`pkiBundle = "/keys"; ${enrol}`), workplace);
    assert.deepEqual(system.complaints, []);
    const service = system.systemd.services['prepare-sb-auto-enroll'];
    assert.deepEqual(service?.script.trim().split('\n'), [
      system.hook,
      `exec /packages/espalier/bin/espalier keys enroll --config ${system.configFile} --microsoft ${packages()}/sbctl-source/certs/microsoft /keys`,
    ]);
    assert.deepEqual(service?.unitConfig, {
      ConditionPathExists: ['PK', 'KEK', 'db'].map(
        (name) => `!/boot/loader/keys/auto/${name}.auth`,
      ),
      SuccessAction: 'reboot',
    });
    const settings = readFileSync(system.configFile, 'utf8');
    const loaderConf = /^loader-conf = "(.*)"$/m.exec(settings)?.[1] ?? '';
    assert.match(readFileSync(loaderConf, 'utf8'), /^secure-boot-enroll force$/m);
  });

  test('has a policy made of the records after each install, where boot is measured', async () => {
    const measured = `
      pkiBundle = "/keys"; configurationLimit = 8;
      measuredBoot = {
        enable = true; pcrs = [ 0 4 7 ];
        staticMeasurements.mine.json = { records = [ ]; };
        autoCryptenroll = { enable = true; device = "/dev/disk/by-label/root"; };
      };`;
    const { complaints, systemd, hook, configFile, environment } = systemOf(
      espalierIs(measured),
      workplace,
    );
    assert.deepEqual(complaints, []);
    assert.equal((await settingsIn(configFile))['pcrlock-directory'], '/var/lib/pcrlock.d');
    const components = environment.etc['pcrlock.d']?.source ?? '';
    const links = JSON.parse(readFileSync(components, 'utf8')) as { name: string; path: string }[];
    assert.deepEqual(
      links.map(({ name }) => name),
      [
        '500-separator.pcrlock.d/300-0x00000000.pcrlock',
        '350-action-efi-application.pcrlock',
        '400-secureboot-separator.pcrlock.d/300-0x00000000.pcrlock',
        'mine.pcrlock',
      ],
    );
    assert.equal(readFileSync(links.at(-1)?.path ?? '', 'utf8'), '{"records":[]}');
    const policy = [
      `${packages()}/systemd/lib/systemd/systemd-pcrlock`,
      'make-policy',
      `--components=${components}`,
      '--components=/var/lib/pcrlock.d',
      '--policy=/var/lib/systemd/pcrlock.json',
      '--location=770',
      ...['--pcr=0', '--pcr=4', '--pcr=7'],
    ]
      .map((word) => (word.includes('=') ? `'${word}'` : word))
      .join(' ');
    const following = /\S+-espalier-after-install/.exec(readFileSync(hook, 'utf8'))?.[0] ?? '';
    assert.ok(readFileSync(following, 'utf8').includes(policy));
    const service = systemd.services['systemd-pcrlock-make-policy'];
    assert.deepEqual(service?.serviceConfig, { ExecStart: ['', policy] });
    assert.deepEqual(systemd.targets['sysinit']?.wants, [
      'systemd-pcrlock-firmware-code.service',
      'systemd-pcrlock-secureboot-policy.service',
      'systemd-pcrlock-secureboot-authority.service',
    ]);
    const enrolment = systemd.services['auto-cryptenroll']?.script ?? '';
    assert.ok(enrolment.startsWith(`${hook}\n`));
    assert.match(enrolment, /--tpm2-pcrlock=\/var\/lib\/systemd\/pcrlock\.json /);
  });

  test('has what fwupd starts signed, and shown to fwupd of every version', () => {
    const fwupd = 'services.fwupd.enable = true;';
    const { services } = systemOf(espalierIs('pkiBundle = "/keys";', fwupd), workplace).systemd;
    // Up to fwupd 2.0 by a variable, later in the place where it is built to look.
    assert.deepEqual(services['fwupd']?.environment, { FWUPD_EFIAPPDIR: '/run/fwupd-efi' });
    assert.deepEqual(services['fwupd']?.serviceConfig, {
      BindReadOnlyPaths: [`-/run/fwupd-efi:${packages()}/fwupd-efi/libexec/fwupd/efi`],
    });
    const { script = '', before: earlier } = services['fwupd-efi'] ?? {};
    assert.deepEqual(earlier, ['fwupd.service']);
    assert.match(script, /espalier sign --config \S+ --output "\$copy\.signed" "\$program"/);
    // A link would lead to itself, where fwupd sees one directory at the place of the other.
    assert.doesNotMatch(script, /\bln\b/);
    const without = systemOf(espalierIs('pkiBundle = "/keys";'), workplace).systemd;
    assert.equal(without.services['fwupd-efi'], undefined);
    assert.equal(without.services['fwupd'], undefined);
  });

  const WRONG: readonly (readonly [what: string, configuration: string, complaint: RegExp])[] = [
    [
      'a second boot loader',
      espalierIs('pkiBundle = "/keys";', 'boot.loader.systemd-boot.enable = true;'),
      /boot\.loader\.systemd-boot is enabled, too/,
    ],
    ['nothing to sign with', espalierIs(''), /nothing to sign with/],
    [
      'an XBOOTLDR partition that is the ESP',
      espalierIs('pkiBundle = "/keys"; xbootldrMountPoint = "/boot";'),
      /is the mount point of the ESP, too/,
    ],
    [
      'an XBOOTLDR partition for two ESPs',
      espalierIs(
        'pkiBundle = "/keys"; xbootldrMountPoint = "/xbootldr"; extraEfiSysMountPoints = [ "/b" ];',
      ),
      /goes with one ESP/,
    ],
    ['half a key', espalierIs('publicKeyFile = "/db.pem";'), /give both, or neither/],
    [
      'a command without a certificate',
      espalierIs('signingCommand = "sign";'),
      /give both, or neither/,
    ],
    [
      'a key that is here and elsewhere',
      espalierIs('publicKeyFile = "/db.pem"; privateKeyFile = "/db.key"; signingCommand = "sign";'),
      /give one of them/,
    ],
    [
      'a private key that everyone may read',
      espalierIs('publicKeyFile = "/db.pem"; privateKeyFile = builtins.storeDir + "/db.key";'),
      /privateKeyFile is in the store/,
    ],
    [
      'keys made in no place',
      espalierIs('autoGenerateKeys.enable = true;'),
      /pkiBundle: expected the directory/,
    ],
    [
      'keys that may brick the machine',
      espalierIs('pkiBundle = "/keys"; autoEnrollKeys.includeMicrosoftKeys = false;'),
      /without Microsoft's certificates/,
    ],
    [
      'keys of the firmware',
      espalierIs('pkiBundle = "/keys"; autoEnrollKeys.includeFirmwareBuiltinKeys = true;'),
      /neither what the firmware brings/,
    ],
    [
      'more variants than a policy takes',
      espalierIs('pkiBundle = "/keys"; measuredBoot.enable = true;'),
      /expected 1 to 8/,
    ],
    [
      'a volume without a name',
      espalierIs(
        'pkiBundle = "/keys"; configurationLimit = 8; measuredBoot = { enable = true; autoCryptenroll.enable = true; };',
      ),
      /expected a LUKS volume/,
    ],
  ];
  for (const [what, configuration, complaint] of WRONG) {
    test(`complains of ${what}, and of nothing else`, () => {
      const complaints = evaluated(configuration, 'system.complaints', workplace) as string[];
      assert.equal(complaints.length, 1, complaints.join('\n'));
      assert.match(complaints[0] ?? '', complaint);
    });
  }

  test('knows no option that is not there, and none of another type', () => {
    const complaint = (settings: string) => tried(espalierIs(settings), 'system', workplace).stderr;
    assert.match(complaint('pkiBundel = "/keys";'), /pkiBundel' does not exist/);
    assert.match(complaint('pkiBundle = builtins.toFile "keys" "";'), /pkiBundle' is not of type/);
    assert.match(complaint('installCommand = "true";'), /installCommand' is read-only/);
  });
}
