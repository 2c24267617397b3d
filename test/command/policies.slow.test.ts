/** Policies for PCR 11 in what `install` writes: made, kept, found wanting and healed. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { measuredImage } from '../../src/measure/image.ts';
import { policiesFor } from '../../src/measure/policy.ts';
import { findSection, parsePe, readSection } from '../../src/pe/pe.ts';
import { loadPolicyPublicKey } from '../../src/signer/policy-key.ts';
import type { PolicyEntry } from '../../src/uki/pcrsig.ts';
import { predictPcr11 } from '../measure/predict.ts';
import { POLICY_KEY, POLICY_PUBLIC_KEY } from '../measure/vectors.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { aMachine, aStub, type Machine, type MachineShape } from './a-machine.ts';

const KEY = ['--pcr-private-key', POLICY_KEY, '--allow-insecure-key'];
const IMAGE = /^EFI\/Linux\//;

/** A machine whose generations have different kernels, so that none shares a file with another. */
function aPolicyMachine(t: TestContext, shape?: MachineShape) {
  const machine = aMachine(t, shape ?? { generations: [{ tag: 'a' }, { tag: 'b' }] });
  return { machine, install: (...args: string[]) => machine.run('install', ...KEY, ...args) };
}

function textIn(machine: Machine, image: string, name: string): string | undefined {
  const source = bytesSource(fs.readFileSync(join(machine.esp, image)));
  const section = findSection(parsePe(source), name);
  return section && new TextDecoder().decode(readSection(source, section, 1 << 20));
}

function policiesIn(machine: Machine, image: string): Record<string, PolicyEntry[]> {
  return JSON.parse(textIn(machine, image, '.pcrsig') ?? '{}');
}

async function findings(machine: Machine, ...args: string[]): Promise<string[]> {
  const { output } = await machine.run('verify', '--json', ...args);
  const [esp] = JSON.parse(output).esps;
  return esp.findings.map(({ path, problem }: Record<string, string>) => `${path}: ${problem}`);
}

const PUBLIC = ['--pcr-public-key', POLICY_PUBLIC_KEY];

/** Changes a byte of a section’s content. */
function spoil(machine: Machine, image: string, change: (text: string) => string): void {
  const path = join(machine.esp, image);
  const bytes = fs.readFileSync(path);
  const section = findSection(parsePe(bytesSource(bytes)), '.pcrsig');
  assert.ok(section);
  const { pointerToRawData: at, virtualSize } = section;
  const before = bytes.subarray(at, at + virtualSize).toString();
  bytes.write(change(before), at, virtualSize);
  fs.writeFileSync(path, bytes);
}

describe('install with a key for policies', () => {
  test('puts the public key and a policy for each phase into every image, and then has nothing to do', async (t) => {
    const { machine, install } = aPolicyMachine(t);
    assert.equal((await install()).status, 0);
    const key = loadPolicyPublicKey(POLICY_PUBLIC_KEY, nodeDisk());
    for (const image of machine.paths(IMAGE)) {
      assert.equal(textIn(machine, image, '.pcrpkey'), fs.readFileSync(POLICY_PUBLIC_KEY, 'utf8'));
      const { sha256 = [], ...others } = policiesIn(machine, image);
      assert.deepEqual(others, {});
      assert.equal(sha256.length, 4);
      for (const { pkfp, pol, sig = '' } of sha256) {
        assert.equal(pkfp, key.fingerprint);
        assert.ok(key.verify(Buffer.from(pol, 'hex'), Buffer.from(sig, 'base64')));
      }
    }
    assert.match((await install()).output, /nothing to do/);
    assert.deepEqual(await findings(machine, ...PUBLIC), []);
    assert.deepEqual(await findings(machine, '--deep', ...PUBLIC), []);
  });

  test('signs for what the image will measure to, in every bank that is asked for', async (t) => {
    const { machine, install } = aPolicyMachine(t);
    await install('--pcr-phases', 'enter-initrd', '--pcr-banks', 'sha1,sha256');
    for (const image of machine.paths(IMAGE)) {
      const source = bytesSource(fs.readFileSync(join(machine.esp, image)));
      const events = measuredImage(source, createHash).eventsOf({ secureBoot: true });
      const request = { phases: ['enter-initrd'], banks: ['sha1', 'sha256'] } as const;
      const expected = policiesFor(events, request, createHash).map(({ bank, pol }) => [bank, pol]);
      const found = Object.entries(policiesIn(machine, image)).flatMap(([bank, entries]) =>
        entries.map(({ pol }) => [bank, pol]),
      );
      assert.deepEqual(found, expected);
    }
  });

  test('another key gives every image another name: what boots stays until that is there', async (t) => {
    const { machine, install } = aPolicyMachine(t);
    await install();
    const before = machine.paths(IMAGE);
    const other = ['--pcr-private-key', privateKeyPath, '--allow-insecure-key'];
    assert.equal((await machine.run('install', ...other)).status, 0);
    const after = machine.paths(IMAGE);
    assert.equal(after.length, before.length);
    assert.ok(after.every((path) => !before.includes(path)));
  });

  test('a policy that is not of the image, of another key or gone is found, and healed', async (t) => {
    const { machine, install } = aPolicyMachine(t);
    await install();
    const [image = ''] = machine.paths(IMAGE);
    const whole = machine.tree();
    const damages: readonly ((text: string) => string)[] = [
      (text) => text.replace(/"pol": "../, '"pol": "00'),
      (text) => text.replace(/"sig": "..../, '"sig": "AAAA'),
      (text) => text.replaceAll(/"pkfp": "../g, '"pkfp": "00'),
      (text) => text.replace(/^./, '['),
      (text) => ' '.repeat(text.length),
    ];
    for (const damage of damages) {
      spoil(machine, image, damage);
      assert.match((await findings(machine, ...PUBLIC)).join(), /polic(y|ies) for PCR 11/);
      assert.match((await machine.run('status', ...KEY)).output, /PCR\s+11/);
      assert.equal((await install()).status, 0);
      assert.deepEqual(machine.tree(), whole);
    }
  });

  test('other phases are other policies; what boots alone is not touched for them', async (t) => {
    const { machine, install } = aPolicyMachine(t);
    await install();
    const before = machine.tree();
    const phases = ['--pcr-phases', 'enter-initrd'];
    const ran = await install(...phases);
    assert.equal(ran.status, 5);
    assert.deepEqual(machine.tree(), before, 'no entry has them yet');
    machine.generations([{ tag: 'a' }, { tag: 'b' }, { tag: 'c' }]);
    assert.equal((await install(...phases)).status, 5);
    assert.equal((await install(...phases)).status, 0);
    for (const image of machine.paths(IMAGE)) {
      assert.equal(policiesIn(machine, image)['sha256']?.length, 1);
    }
    assert.match((await install(...phases)).output, /nothing to do/);
  });

  test('a new stub leaves images as they are, and their policies hold', async (t) => {
    const { machine, install } = aPolicyMachine(t);
    await install();
    const before = machine.tree();
    const stub = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    fs.appendFileSync(stub, Buffer.alloc(512));
    assert.match((await install()).output, /nothing to do/);
    assert.deepEqual(machine.tree(), before);
  });

  test('signatures are remembered: a key is asked once for each policy', async (t) => {
    const { machine } = aPolicyMachine(t);
    const asked = join(machine.root, 'asked');
    const command = join(machine.root, 'sign');
    fs.writeFileSync(
      command,
      `#!/bin/sh\necho x >>${asked}\nexec openssl pkeyutl -sign -pkeyopt digest:sha256 -inkey ${POLICY_KEY}\n`,
      { mode: 0o755 },
    );
    const elsewhere = ['--pcr-signing-command', command, ...PUBLIC];
    assert.equal((await machine.run('plan', ...elsewhere)).error, undefined);
    assert.equal(fs.existsSync(asked), false, 'whoever plans asks no key');
    assert.equal((await machine.run('install', ...elsewhere)).error, undefined);
    const count = () => fs.readFileSync(asked, 'utf8').split('\n').length - 1;
    assert.equal(count(), 8);
    const tree = machine.tree();
    assert.match((await machine.run('install', ...elsewhere)).output, /nothing to do/);
    assert.equal((await machine.run('status', ...elsewhere)).status, 0);
    assert.equal(count(), 8);
    fs.rmSync(join(machine.root, 'cache'), { recursive: true });
    await machine.run('install', ...elsewhere);
    assert.equal(count(), 16);
    assert.deepEqual(machine.tree(), tree);
  });

  test('another machine signs first the policies, and then the images with them', async (t) => {
    const { machine } = aPolicyMachine(t);
    const file = (name: string) => join(machine.root, name);
    const image = ['--certificate', certificatePath, '--allow-insecure-key'];
    const ask = (name: string, ...args: string[]) =>
      machine.run('plan', ...image, ...PUBLIC, '--signing-request', file(name), ...args);
    const sign = (from: string, to: string, ...key: string[]) =>
      machine.run('sign', '--request', file(from), '--output', file(to), '--yes', ...key);

    assert.match((await ask('first')).output, /pcr-policy nixos-generation-1-.*enter-initrd/);
    assert.equal((await sign('first', 'policies', ...KEY)).error, undefined);
    const answered = ['--pcr-signatures', file('policies')];
    assert.match((await ask('second', ...answered)).output, /uki EFI\/Linux/);
    const secure = [...image, '--private-key', privateKeyPath];
    assert.equal((await sign('second', 'signatures', ...secure)).error, undefined);
    const elsewhere = ['--signatures', file('signatures'), ...answered, ...PUBLIC];
    const installed = await machine.runWith(
      {},
      ...['install', ...machine.arguments(), ...image, ...elsewhere, '--quiet'],
    );
    assert.equal(installed.error, undefined);
    const tree = machine.tree();

    fs.rmSync(machine.esp, { recursive: true });
    fs.mkdirSync(machine.esp);
    const here = [...secure, ...KEY];
    await machine.runWith({}, 'install', ...machine.arguments(), ...here, '--quiet');
    assert.deepEqual(machine.tree(), tree, 'the same, byte for byte, as with the keys at hand');

    fs.rmSync(join(machine.root, 'cache'), { recursive: true });
    machine.generations([{ tag: 'a' }, { tag: 'b' }, { tag: 'c' }]);
    const lacking = await machine.runWith(
      {},
      ...['install', ...machine.arguments(), ...image, ...elsewhere, '--quiet'],
    );
    assert.equal(lacking.error?.code, 'SIGNATURE_MISSING');
    assert.deepEqual(machine.tree(), tree);
    const other = ['--pcr-private-key', privateKeyPath, '--allow-insecure-key'];
    assert.match((await sign('first', 'x', ...other)).error?.message ?? '', /asks for key/);
    const forged = JSON.parse(fs.readFileSync(file('first'), 'utf8'));
    forged.policies[0].tbs = '00'.repeat(32);
    fs.writeFileSync(file('first'), JSON.stringify(forged));
    assert.match((await sign('first', 'x', ...KEY)).error?.message ?? '', /digest: expected/);
  });

  test('what goes wrong with the key stops the run before anything is written', async (t) => {
    const { machine } = aPolicyMachine(t);
    const refused: readonly (readonly [readonly string[], RegExp])[] = [
      [PUBLIC, /nothing signs for it/],
      [[...KEY, '--pcr-public-key', certificatePath], /it is not the key of/],
      [['--pcr-signing-command', 'true'], /without --pcr-public-key/],
      [[...PUBLIC, '--pcr-signing-command', 'true'], /expected an RSA signature|got 0 bytes/],
      [[...KEY, '--format', 'type1'], /carry no policies/],
      [[...KEY, '--pcr-phases', 'lunch'], /expected paths of enter-initrd/],
      [[...KEY, '--pcr-banks', 'md5'], /expected some of sha1/],
      [['--pcr-private-key', POLICY_KEY], /private key/],
    ];
    for (const [args, expected] of refused) {
      const { error } = await machine.run('install', ...args);
      assert.match(error?.message ?? '', expected, args.join(' '));
      assert.deepEqual(machine.tree(), {});
    }
  });
});

describe('shared images', () => {
  const BLOB = /^EFI\/nixos\/uki-/;
  const shared = ['--format', 'shared'];

  /** PCR 11 of each profile of an image, by its ID. */
  function values(machine: Machine, image: string): Record<string, string> {
    const source = bytesSource(fs.readFileSync(join(machine.esp, image)));
    const { profiles } = measuredImage(source, createHash);
    return Object.fromEntries(
      profiles.map(({ number, id }) => [id, predictPcr11(source, { profile: number }).sha256]),
    );
  }

  function aSharingMachine(t: TestContext, count: number) {
    const machine = aMachine(t);
    const stub = join(machine.systemd, 'lib/systemd/boot/efi/linuxx64.efi.stub');
    fs.writeFileSync(stub, aStub('262.1'));
    const same = Array.from({ length: count }, (_, at) => ({ label: `system ${at}` }));
    machine.generations(same);
    const install = (...args: string[]) => machine.run('install', ...shared, ...KEY, ...args);
    return { machine, install };
  }

  test('one .pcrsig in the base serves every profile, and PCR 11 of the others stays when one joins', async (t) => {
    const { machine, install } = aSharingMachine(t, 2);
    assert.equal((await install()).error, undefined);
    const [image = '', ...others] = machine.paths(BLOB);
    assert.deepEqual(others, []);
    const before = values(machine, image);
    assert.equal(Object.keys(before).length, 2);
    assert.equal(policiesIn(machine, image)['sha256']?.length, 8);
    assert.match((await install()).output, /nothing to do/);
    assert.deepEqual(await findings(machine, ...PUBLIC), []);

    machine.generations([{ label: 'system 0' }, { label: 'system 1' }, { label: 'system 2' }]);
    assert.equal((await install()).error, undefined);
    const [joined = ''] = machine.paths(BLOB);
    const after = values(machine, joined);
    assert.equal(Object.keys(after).length, 3);
    assert.deepEqual({ ...after, ...before }, after);
    assert.equal(policiesIn(machine, joined)['sha256']?.length, 12);
    assert.deepEqual(await findings(machine, '--deep', ...PUBLIC), []);
  });

  test('a policy that is gone is found and, beside an image that has its own, healed', async (t) => {
    const { machine, install } = aSharingMachine(t, 2);
    await install();
    const [image = ''] = machine.paths(BLOB);
    spoil(machine, image, (text) => text.replace(/"pol": "../, '"pol": "00'));
    const told = (await findings(machine, ...PUBLIC, ...shared)).join();
    assert.match(told, /polic(y|ies) for PCR 11/);
    const damaged = machine.tree();
    assert.equal((await install()).status, 5, 'nothing else boots');
    assert.deepEqual(machine.tree(), damaged);
    machine.generations([{ label: 'system 0' }, { label: 'system 1' }, { label: 'new', tag: 'n' }]);
    assert.equal((await install()).status, 5);
    assert.equal((await install()).status, 0);
    assert.deepEqual(await findings(machine, ...PUBLIC, ...shared), []);
  });
});
