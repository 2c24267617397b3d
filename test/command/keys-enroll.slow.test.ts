import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import type { Guid } from '../../src/guid.ts';
import { parseAuthenticatedWrite } from '../../src/secureboot/authenticated-variable.ts';
import { IMAGE_SHA256 } from '../../src/secureboot/forbidden.ts';
import { KEY_NAMES, KEY_VARIABLES, type KeyVariable } from '../../src/secureboot/key-variable.ts';
import {
  formatSignatureLists,
  parseSignatureLists,
  X509,
} from '../../src/secureboot/signature-list.ts';
import { authenticodeDigest } from '../../src/signer/image-digest.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { aKeyDirectory, aMicrosoftCertificate } from './a-key-directory.ts';
import { aMachine, type Machine, type Ran, type RunOptions } from './a-machine.ts';

const missing = missingTools(['efitools', 'openssl']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;
const BRAVE = '--yes-this-might-brick-my-machine';
const MICROSOFT = '77fa9abd-0359-4d32-bd60-28f4e78f784b';
const FILES = ['KEK', 'PK', 'db'].map((name) => `loader/keys/auto/${name}.auth`);

/** A machine with keys, and its two copies of the loader signed with them. */
async function aMachineWithKeys(t: TestContext): Promise<Machine> {
  const machine = aMachine(t);
  const db = join(await aKeyDirectory(machine), 'keys/db');
  const pair = ['--certificate', join(db, 'db.pem'), '--private-key', join(db, 'db.key')];
  const { status } = await machine.runWith({}, 'install', ...machine.arguments(), ...pair, '-q');
  assert.equal(status, 0);
  return machine;
}

function programDigest(path: string): Uint8Array {
  using program = nodeDisk().open(path);
  return authenticodeDigest(program);
}

function enrollWith(
  options: RunOptions,
  machine: Machine,
  ...args: readonly string[]
): Promise<Ran> {
  const esp = ['--esp', machine.esp, '--allow-directory', '--quiet'];
  return machine.runWith(options, 'keys', 'enroll', join(machine.root, 'sbctl'), ...esp, ...args);
}

const enroll = (machine: Machine, ...args: readonly string[]) => enrollWith({}, machine, ...args);

function writeOf(machine: Machine, name: KeyVariable, set = 'auto') {
  return parseAuthenticatedWrite(
    fs.readFileSync(join(machine.esp, `loader/keys/${set}/${name}.auth`)),
  );
}

/** Owner and subject of all that a variable would hold. */
function held(machine: Machine, name: KeyVariable): [string, string][] {
  return parseSignatureLists(writeOf(machine, name).content).map(({ owner, data }) => [
    owner,
    new X509Certificate(data).subject.split('\n').at(-1) ?? '',
  ]);
}

describe('keys enroll', () => {
  test('refuses to distrust option ROMs unless told to, and touches nothing', async (t) => {
    const machine = await aMachineWithKeys(t);
    const before = machine.tree();
    const { status, error } = await enroll(machine);
    assert.equal(status, 3);
    assert.equal(error?.code, 'OPTION_ROMS_UNTRUSTED');
    assert.deepEqual(machine.tree(), before);
    assert.equal((await enroll(machine, BRAVE)).status, 0);
    assert.deepEqual(machine.paths(/loader\/keys/), FILES);
  });

  test('certificates of Microsoft for Windows alone do not vouch for option ROMs', {
    skip,
  }, async (t) => {
    const machine = await aMachineWithKeys(t);
    const directory = join(machine.root, 'microsoft');
    aMicrosoftCertificate(join(directory, 'pca.der'), 'Microsoft Windows Production PCA 2011');
    aMicrosoftCertificate(join(directory, 'ca.der'), 'Windows UEFI CA 2023');
    aMicrosoftCertificate(join(directory, 'kek.der'), 'Microsoft Corporation KEK 2K CA 2023');
    const { error } = await enroll(machine, '--microsoft', directory);
    assert.equal(error?.code, 'OPTION_ROMS_UNTRUSTED');
    const uefi = aMicrosoftCertificate(
      join(machine.root, 'uefi.crt'),
      'Microsoft Corporation UEFI CA 2011',
    );
    const one = ['--microsoft', directory, '--microsoft', uefi];
    assert.equal((await enroll(machine, ...one)).status, 5, 'one of two is a warning');
    const rom = aMicrosoftCertificate(
      join(machine.root, 'rom.crt'),
      'Microsoft Option ROM UEFI CA 2023',
    );
    assert.equal((await enroll(machine, ...one, '--microsoft', rom)).status, 0);
  });

  test('each certificate of Microsoft goes once to the variable it is for, behind our own', {
    skip,
  }, async (t) => {
    const machine = await aMachineWithKeys(t);
    const directory = join(machine.root, 'microsoft');
    for (const [file, name] of [
      ['KEK/kek.der', 'Microsoft Corporation KEK CA 2011'],
      ['db/Certificates/rom.der', 'Microsoft Option ROM UEFI CA 2023'],
      ['db/Certificates/uefi.cer', 'Microsoft UEFI CA 2023'],
    ] as const) {
      aMicrosoftCertificate(join(directory, file), name);
    }
    fs.writeFileSync(join(directory, 'README.md'), 'not a certificate');
    const twice = ['--microsoft', directory, '--microsoft', join(directory, 'KEK')];
    const { status } = await enroll(machine, ...twice);
    assert.equal(status, 5, 'the authority of 2011 is not among them');
    const owner = fs.readFileSync(join(machine.root, 'sbctl/GUID'), 'utf8');
    assert.deepEqual(held(machine, 'PK'), [[owner, 'CN=Platform Key']]);
    assert.deepEqual(held(machine, 'KEK'), [
      [owner, 'CN=Key Exchange Key'],
      [MICROSOFT, 'CN=Microsoft Corporation KEK CA 2011'],
    ]);
    assert.deepEqual(held(machine, 'db'), [
      [owner, 'CN=Database Key'],
      [MICROSOFT, 'CN=Microsoft Option ROM UEFI CA 2023'],
      [MICROSOFT, 'CN=Microsoft UEFI CA 2023'],
    ]);
  });

  for (const [what, name, organisation] of [
    ['of somebody else', 'Microsoft UEFI CA 2023', 'Macrosoft'],
    ['that is a platform key', 'Windows OEM Devices PK', undefined],
  ] as const) {
    test(`refuses a certificate ${what}`, { skip }, async (t) => {
      const machine = await aMachineWithKeys(t);
      const path = aMicrosoftCertificate(join(machine.root, 'their.der'), name, organisation);
      const { error, status } = await enroll(machine, '--microsoft', path);
      assert.equal(error?.code, 'KEY_INVALID');
      assert.equal(status, 2);
      assert.deepEqual(machine.paths(/loader\/keys/), []);
    });
  }

  test('what it writes are the lists that cert-to-efi-sig-list makes', { skip }, async (t) => {
    const machine = await aMachineWithKeys(t);
    await enroll(machine, BRAVE);
    const owner = fs.readFileSync(join(machine.root, 'sbctl/GUID'), 'utf8');
    for (const name of KEY_NAMES) {
      const theirs = join(machine.root, `${name}.esl`);
      const pem = join(machine.root, `sbctl/keys/${name}/${name}.pem`);
      run('cert-to-efi-sig-list', ['-g', owner, pem, theirs]);
      const ours = Buffer.from(writeOf(machine, name).content);
      assert.deepEqual(ours, fs.readFileSync(theirs));
      run('sig-list-to-certs', [theirs, join(machine.root, name)]);
    }
  });

  test('a second run finds nothing to do', async (t) => {
    const machine = await aMachineWithKeys(t);
    await enroll(machine, BRAVE);
    const before = machine.tree();
    const { status, output } = await enroll(machine, BRAVE);
    assert.equal(status, 0);
    assert.match(output, /auto: nothing to do/);
    assert.deepEqual(machine.tree(), before);
  });

  test('a damaged file is written again', async (t) => {
    const machine = await aMachineWithKeys(t);
    await enroll(machine, BRAVE);
    const path = 'loader/keys/auto/db.auth';
    machine.put(path, fs.readFileSync(join(machine.esp, path)).subarray(0, 100));
    assert.match((await enroll(machine, BRAVE)).output, /auto: written/);
    assert.match((await enroll(machine, BRAVE)).output, /auto: nothing to do/);
  });

  test('other keys get a later time, whatever the clock says and under whichever name', async (t) => {
    const machine = await aMachineWithKeys(t);
    await enroll(machine, BRAVE);
    const first = writeOf(machine, 'PK').time;
    fs.rmSync(join(machine.root, 'sbctl'), { recursive: true });
    await aKeyDirectory(machine);
    // The clock has not moved on by much; the first write is moved into the future.
    const future = Buffer.from(fs.readFileSync(join(machine.esp, 'loader/keys/auto/db.auth')));
    future.writeUInt16LE(2099, 0);
    machine.put('loader/keys/auto/db.auth', future);
    const moved = writeOf(machine, 'db').time;
    assert.ok(moved > first);
    await enroll(machine, BRAVE, '--name', 'mine');
    for (const name of KEY_NAMES) assert.equal(writeOf(machine, name, 'mine').time, moved + 1);
  });

  test('a loader that the keys do not let start is a warning, and a setting that hides them too', async (t) => {
    const machine = await aMachineWithKeys(t);
    machine.brings('258');
    await machine.run('install');
    machine.put('loader/loader.conf', 'secure-boot-enroll off\n');
    const { status, output } = await enroll(machine, BRAVE, '--json');
    assert.equal(status, 5);
    const { warnings } = JSON.parse(output) as { warnings: string[] };
    assert.equal(warnings.length, 4);
    assert.match(warnings[0] ?? '', /systemd-bootx64.efi: its signature is not valid/);
    assert.match(warnings[2] ?? '', /secure-boot-enroll is off/);
    assert.match(warnings[3] ?? '', /EFI\/Linux\/.*: it is not signed; with these keys/);
  });

  test('an entry that the keys do not let start is a warning, of a type1 entry its kernel', async (t) => {
    for (const format of ['uki', 'type1']) {
      const machine = await aMachineWithKeys(t);
      const entries = machine.paths(/EFI\/(Linux|nixos)|loader\/entries/);
      for (const path of entries) fs.rmSync(join(machine.esp, path));
      const loaders = machine.paths(/EFI\/(BOOT|systemd)\//).map((path) => join(machine.esp, path));
      const signed = loaders.map((path) => fs.readFileSync(path));
      await machine.run('install', '--format', format);
      for (const [index, path] of loaders.entries()) fs.writeFileSync(path, signed[index] ?? '');
      const { status, output } = await enroll(machine, BRAVE, '--json');
      assert.equal(status, 5);
      const { warnings } = JSON.parse(output) as { warnings: string[] };
      assert.deepEqual(
        warnings.map(
          (warning) => /(EFI\/\w+)\/.*: it is not signed; with these keys/.exec(warning)?.[1],
        ),
        [format === 'uki' ? 'EFI/Linux' : 'EFI/nixos'],
      );
    }
  });

  test('Microsoft UEFI CA 2023 vouches for no option ROM', { skip }, async (t) => {
    const machine = await aMachineWithKeys(t);
    const ca = aMicrosoftCertificate(join(machine.root, 'ca.der'), 'Microsoft UEFI CA 2023');
    const { error } = await enroll(machine, '--microsoft', ca);
    assert.equal(error?.code, 'OPTION_ROMS_UNTRUSTED');
    assert.match(error?.hint ?? '', /Microsoft Corporation UEFI CA 2011 and Microsoft Option ROM/);
  });

  test('a bundle is read whole, and others’ certificates stand beside it', { skip }, async (t) => {
    const machine = await aMachineWithKeys(t);
    const path = (name: string) => join(machine.root, name);
    const pem = (name: string, organisation?: string) => {
      const der = aMicrosoftCertificate(path('one.der'), name, organisation);
      return new X509Certificate(fs.readFileSync(der)).toString();
    };
    const both = ['Microsoft Corporation UEFI CA 2011', 'Microsoft Option ROM UEFI CA 2023'];
    fs.writeFileSync(path('all.pem'), both.map((name) => pem(name)).join(''));
    const vendor = [pem('Vendor KEK CA', 'Vendor'), pem('Vendor Firmware CA', 'Vendor')];
    fs.writeFileSync(path('vendor.pem'), vendor.join(''));
    const files = ['--microsoft', path('all.pem'), '--certificates', path('vendor.pem')];
    assert.equal((await enroll(machine, ...files)).status, 0);
    const names = (variable: KeyVariable) =>
      held(machine, variable)
        .slice(1)
        .map(([, name]) => name);
    assert.deepEqual(
      names('db'),
      [...both, 'Vendor Firmware CA'].map((name) => `CN=${name}`),
    );
    assert.deepEqual(names('KEK'), ['CN=Vendor KEK CA']);
    const { error } = await enroll(machine, '--microsoft', path('vendor.pem'));
    assert.match(error?.hint ?? '', /those of others go with --certificates/);
  });

  test('--keep-firmware appends what firmware has, once', { skip }, async (t) => {
    const machine = await aMachineWithKeys(t);
    const none = await enroll(machine, BRAVE, '--keep-firmware');
    assert.equal(none.error?.code, 'KEY_INVALID');
    const der = aMicrosoftCertificate(join(machine.root, 'f.der'), 'Factory', 'Vendor');
    const owner = MICROSOFT as Guid;
    const entry = { type: X509, owner, data: Uint8Array.from(fs.readFileSync(der)) };
    const lists = Buffer.concat([Buffer.alloc(4), formatSignatureLists([entry, entry])]);
    fs.writeFileSync(join(machine.efivars, `db-${KEY_VARIABLES.db.vendor}`), lists);
    assert.equal((await enroll(machine, BRAVE, '--keep-firmware')).status, 0);
    assert.deepEqual(held(machine, 'db').slice(1), [[MICROSOFT, 'CN=Factory']]);
  });

  test('--dbx is written beside the keys, signed by KEK, and entries are judged by it', async (t) => {
    const machine = await aMachineWithKeys(t);
    const [entry = ''] = machine.paths(/EFI.Linux/);
    const data = programDigest(join(machine.esp, entry));
    const lists = formatSignatureLists([{ type: IMAGE_SHA256, owner: MICROSOFT as Guid, data }]);
    const file = join(machine.root, 'dbx.esl');
    fs.writeFileSync(file, lists);
    const { status, output } = await enroll(machine, BRAVE, '--dbx', file, '--json');
    assert.equal(status, 5);
    assert.match(JSON.parse(output).warnings.join(), /EFI\/Linux/);
    const auth = fs.readFileSync(join(machine.esp, 'loader/keys/auto/dbx.auth'));
    const write = parseAuthenticatedWrite(auth);
    assert.deepEqual(Buffer.from(write.content), Buffer.from(lists));
    assert.equal(write.time, writeOf(machine, 'PK').time);
    // What a vendor publishes has a signature of its own around the lists.
    fs.writeFileSync(file, auth);
    const again = await enroll(machine, BRAVE, '--dbx', file, '--json');
    assert.equal(JSON.parse(again.output).esps[0].written, false);
    // An older and longer write is replaced, whatever its length.
    const place = join(machine.esp, 'loader/keys/auto/dbx.auth');
    fs.writeFileSync(place, Buffer.concat([auth, Buffer.alloc(4096)]));
    assert.equal((await enroll(machine, BRAVE, '--dbx', file)).status, 5);
    assert.deepEqual(fs.readFileSync(place), auth);
    fs.writeFileSync(file, 'no lists');
    assert.equal((await enroll(machine, BRAVE, '--dbx', file)).error?.code, 'KEY_INVALID');
  });

  describe('--dbx is refused, and nothing is written', () => {
    const list = (type: string, data: Uint8Array) =>
      formatSignatureLists([{ type: type as Guid, owner: MICROSOFT as Guid, data }]);
    const ownPem = (machine: Machine) =>
      new X509Certificate(fs.readFileSync(join(machine.root, 'sbctl/keys/db/db.pem')));
    const cases: readonly (readonly [string, (machine: Machine) => Uint8Array, RegExp])[] = [
      [
        'that forbids our own certificate',
        (machine) => list(X509, Uint8Array.from(ownPem(machine).raw)),
        /forbids your own certificate/,
      ],
      [
        'with a digest of another size',
        () => list(IMAGE_SHA256, new Uint8Array(7)),
        /entries that firmware takes, got one of type c1c41626-.* with 7 bytes/,
      ],
      ['with a certificate that is none', () => list(X509, new Uint8Array(300)), /got one of type/],
      [
        'with a type that firmware does not know',
        () => list('11111111-2222-3333-4444-555555555555', new Uint8Array(32)),
        /got one of type 11111111-/,
      ],
    ];
    for (const [what, dbx, expected] of cases) {
      test(what, async (t) => {
        const machine = await aMachineWithKeys(t);
        const file = join(machine.root, 'dbx.esl');
        fs.writeFileSync(file, dbx(machine));
        const { error } = await enroll(machine, BRAVE, '--dbx', file);
        assert.equal(error?.code, 'KEY_INVALID');
        assert.match(error.message, expected);
        assert.deepEqual(machine.paths(/loader.keys/), []);
      });
    }
  });

  test('a run that fails anywhere leaves the old set, or none that is complete', async (t) => {
    const machine = await aMachineWithKeys(t);
    await enroll(machine, BRAVE);
    const old = machine.tree();
    fs.renameSync(join(machine.root, 'sbctl'), join(machine.root, 'before'));
    await aKeyDirectory(machine);
    const real = (await import('../../src/disk/node-disk.ts')).nodeDisk();
    const isSet = (path: string) => /loader\/keys\/auto/.test(path);
    let steps = Number.POSITIVE_INFINITY;
    for (let dying = 0; dying < steps; dying++) {
      let step = 0;
      const mortal = <Args extends readonly [string, ...unknown[]], R>(
        operation: (...args: Args) => R,
      ) => {
        return (...args: Args): R => {
          if (isSet(args[0]) && step++ === dying) throw new EspError('IO', 'the disk is gone');
          return operation(...args);
        };
      };
      const disk = {
        create: mortal(real.create),
        rename: mortal(real.rename),
        remove: mortal(real.remove),
        syncDirectory: mortal(real.syncDirectory),
        syncFile: mortal(real.syncFile),
      };
      const { error } = await enrollWith({ disk }, machine, BRAVE);
      if (error === undefined) steps = dying;
      const there = machine.paths(/loader\/keys\/auto\/(PK|KEK|db)\.auth$/);
      const isOld = FILES.every((path) => machine.tree()[path] === old[path]);
      const times = there.map(
        (path) => writeOf(machine, /(\w+)\.auth/.exec(path)?.[1] as 'PK').time,
      );
      const isWhole = there.length === 3 && new Set(times).size === 1;
      assert.ok(isOld || isWhole || !there.includes('loader/keys/auto/PK.auth'), `step ${dying}`);
    }
    assert.ok(steps > 8, `${steps} steps`);
    assert.match((await enroll(machine, BRAVE)).output, /auto: nothing to do/);
    assert.deepEqual(machine.paths(/loader\/keys/), FILES);
  });

  for (const [what, args, code] of [
    ['a name that leads elsewhere', ['--name', '../entries'], 'CONFIG_INVALID'],
    ['certificates that are not there', ['--microsoft', '/nowhere/db.der'], 'FILE_MISSING'],
  ] as const) {
    test(`refuses ${what}`, async (t) => {
      const machine = await aMachineWithKeys(t);
      const { error } = await enroll(machine, ...args);
      assert.equal(error?.code, code);
    });
  }

  test('refuses a directory without keys', async (t) => {
    const { error } = await enroll(aMachine(t), BRAVE);
    assert.equal(error?.code, 'KEY_INVALID');
    assert.match(error?.hint ?? '', /keys generate/);
  });
});
