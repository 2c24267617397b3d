import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { parseAuthenticatedWrite } from '../../src/secureboot/authenticated-variable.ts';
import { KEY_NAMES, KEY_VARIABLES, type KeyVariable } from '../../src/secureboot/key-variable.ts';
import { aKeyDirectory } from './a-key-directory.ts';
import { aMachine, type Machine } from './a-machine.ts';

interface Status {
  readonly secureBoot: boolean | null;
  readonly setupMode: boolean | null;
  readonly certificates: readonly {
    readonly variable: KeyVariable;
    readonly name: string;
    readonly validTo: string;
    readonly in: readonly string[];
  }[];
  readonly problems: readonly string[];
}

const esp = (machine: Machine) => ['--esp', machine.esp, '--allow-directory'];
const keys = (machine: Machine) => join(machine.root, 'sbctl');

async function look(machine: Machine): Promise<Status & { readonly status: number }> {
  const args = ['keys', 'status', keys(machine), ...esp(machine), '--json'];
  const { status, output, error } = await machine.runWith({}, ...args);
  assert.equal(error, undefined);
  return { ...(JSON.parse(output) as Status), status };
}

/** A machine with keys, a set of them on the ESP and firmware in Setup Mode. */
async function aMachineWithKeys(t: TestContext): Promise<Machine> {
  const machine = aMachine(t);
  await aKeyDirectory(machine);
  const brave = '--yes-this-might-brick-my-machine';
  await machine.runWith({}, 'keys', 'enroll', keys(machine), ...esp(machine), brave, '--quiet');
  machine.variable('SetupMode', 'global', Uint8Array.of(1));
  machine.variable('SecureBoot', 'global', Uint8Array.of(0));
  return machine;
}

/** Does as firmware and systemd-boot do. */
function enrol(machine: Machine): void {
  for (const name of KEY_NAMES) {
    const file = fs.readFileSync(join(machine.esp, `loader/keys/auto/${name}.auth`));
    const value = Buffer.concat([Buffer.alloc(4), parseAuthenticatedWrite(file).content]);
    fs.writeFileSync(join(machine.efivars, `${name}-${KEY_VARIABLES[name].vendor}`), value);
  }
  machine.variable('SetupMode', 'global', Uint8Array.of(0));
  machine.variable('SecureBoot', 'global', Uint8Array.of(1));
}

describe('keys status', () => {
  test('says where each certificate is, before and after an enrolment', async (t) => {
    const machine = await aMachineWithKeys(t);
    const set = `${machine.esp}/loader/keys/auto`;
    const before = await look(machine);
    assert.equal(before.status, 0);
    assert.deepEqual([before.secureBoot, before.setupMode], [false, true]);
    assert.deepEqual(
      before.certificates.map((each) => [each.variable, each.name, each.in]),
      [
        ['PK', 'Platform Key', ['keys', set]],
        ['KEK', 'Key Exchange Key', ['keys', set]],
        ['db', 'Database Key', ['keys', set]],
      ],
    );
    enrol(machine);
    const after = await look(machine);
    assert.equal(after.status, 0);
    assert.deepEqual([after.secureBoot, after.setupMode], [true, false]);
    for (const each of after.certificates) {
      assert.deepEqual(each.in, ['keys', 'firmware', set]);
      assert.match(each.validTo, /^20\d\d-\d\d-\d\d$/);
    }
  });

  test('keys that firmware does not know are a problem, and so is a set of others', async (t) => {
    const machine = await aMachineWithKeys(t);
    enrol(machine);
    fs.rmSync(keys(machine), { recursive: true });
    await aKeyDirectory(machine);
    const { status, problems, certificates } = await look(machine);
    assert.equal(status, 5);
    assert.match(problems[0] ?? '', /^firmware: does not start what db signs/);
    assert.match(problems[1] ?? '', /loader\/keys\/auto: .*would not start what db signs/);
    assert.equal(certificates.length, 6);
  });

  const damages: readonly (readonly [string, (machine: Machine) => void, RegExp])[] = [
    [
      'a set without PK',
      ({ esp: root }) => fs.rmSync(join(root, 'loader/keys/auto/PK.auth')),
      /auto: PK: PK.auth is missing/,
    ],
    [
      'a file that is no signed write',
      (machine) => machine.put('loader/keys/auto/KEK.auth', 'nonsense'),
      /auto: KEK: authenticated write at offset 0/,
    ],
    [
      'a variable that is no list',
      (machine) => machine.variable('KEK', 'global', Uint8Array.of(1, 2, 3)),
      /firmware: KEK: signature list at offset 0/,
    ],
    [
      'a key that others can read',
      (machine) => fs.chmodSync(join(keys(machine), 'keys/PK/PK.key'), 0o644),
      /keys: PK: private key .* has mode \d+, expected 600/,
    ],
    [
      'a key of another certificate',
      (machine) =>
        fs.copyFileSync(
          join(keys(machine), 'keys/PK/PK.key'),
          join(keys(machine), 'keys/db/db.key'),
        ),
      /keys: db: .* is not the key of certificate/,
    ],
  ];
  for (const [what, damage, words] of damages) {
    test(`${what} is a problem, and the rest is shown`, async (t) => {
      const machine = await aMachineWithKeys(t);
      damage(machine);
      const { status, problems, certificates } = await look(machine);
      assert.equal(status, 5);
      assert.match(problems.join('\n'), words);
      assert.equal(certificates.length, 3);
    });
  }

  test('a certificate whose private key is elsewhere is no problem', async (t) => {
    const machine = await aMachineWithKeys(t);
    fs.rmSync(join(keys(machine), 'keys/db/db.key'));
    assert.deepEqual((await look(machine)).problems, []);
  });

  test('a machine without keys and firmware is told, line by line', async (t) => {
    const machine = aMachine(t);
    const args = ['keys', 'status', keys(machine), ...esp(machine)];
    const { status, output } = await machine.runWith({}, ...args);
    assert.equal(status, 5);
    assert.match(output, /^Secure Boot: unknown\nSetup Mode: {2}unknown\nkeys: {8}\//);
    assert.match(output, /problem: keys: PK: .*PK.pem/);
  });

  test('a table has one line for each certificate', async (t) => {
    const machine = await aMachineWithKeys(t);
    const args = ['keys', 'status', keys(machine), ...esp(machine)];
    const { output } = await machine.runWith({}, ...args);
    const [head, ...rows] = output.split('\n').slice(3);
    assert.match(head ?? '', /^FOR +CERTIFICATE +SHA-256 +VALID TO +IN$/);
    assert.equal(rows.length, 3);
    assert.match(rows[2] ?? '', /^db +Database Key +[0-9a-f]{16} +20\d\d-\d\d-\d\d +keys, \//);
  });
});
