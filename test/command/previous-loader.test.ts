/** The boot loader before this one, which firmware starts where this one fails. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { loaderIdentity } from '../../src/loader/systemd-boot.ts';
import { certificatePath, privateKeyPem } from '../signer/test-key.ts';
import { aMachine, aSystemdBoot, type Machine } from './a-machine.ts';

const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const FALLBACK = 'EFI/BOOT/BOOTX64.EFI';
const PREVIOUS = 'EFI/systemd/systemd-boot-fallbackx64.efi';

function version(machine: Machine, path: string): string {
  const full = join(machine.esp, path);
  if (!fs.existsSync(full)) return 'absent';
  const identity = loaderIdentity(bytesSource(fs.readFileSync(full)));
  return identity.kind === 'systemd-boot' ? identity.version : identity.kind;
}

const versions = (machine: Machine) =>
  [SYSTEMD, FALLBACK, PREVIOUS].map((path) => version(machine, path));

/** Says which loader started this machine, and from where. */
function ran(machine: Machine, loader: string, path = SYSTEMD): void {
  machine.loaderVariable('LoaderInfo', `systemd-boot ${loader}`);
  machine.loaderVariable('LoaderImageIdentifier', `\\${path.replaceAll('/', '\\')}`);
}

/** A machine that was installed with one loader, which ran, and that then got another one. */
async function upgraded(t: TestContext, ...args: readonly string[]): Promise<Machine> {
  const machine = aMachine(t, { loader: '256' });
  const { status, error } = await machine.run('install', ...args);
  assert.equal(status, 0, error?.message);
  ran(machine, '256');
  machine.brings('257');
  return machine;
}

test('the loader that ran stays beside a newer one, and is written before that', async (t) => {
  const machine = await upgraded(t);
  const { output } = await machine.run('plan');
  assert.match(
    output,
    /~ EFI\/systemd\/systemd-boot-fallbackx64\.efi .* because 256 is known to start, and is about to be replaced\n.*loader\n.*~ EFI\/systemd\/systemd-bootx64\.efi/,
  );
  assert.equal((await machine.run('install')).status, 0);
  assert.deepEqual(versions(machine), ['257', '257', '256']);
  assert.match((await machine.run('install')).output, /nothing to do/);
  // It did not run: the one before it is still the last that is known to start.
  machine.brings('258');
  await machine.run('install');
  assert.deepEqual(versions(machine), ['258', '258', '256']);
  ran(machine, '258');
  machine.brings('259');
  await machine.run('install');
  assert.deepEqual(versions(machine), ['259', '259', '258']);
});

test('without a signature nothing but an equal copy vouches for it', async (t) => {
  const machine = await upgraded(t);
  const bytes = fs.readFileSync(join(machine.esp, SYSTEMD));
  bytes[700] = (bytes[700] ?? 0) ^ 1;
  machine.put(SYSTEMD, bytes);
  assert.equal((await machine.run('install')).status, 0);
  assert.deepEqual(versions(machine), ['257', '257', 'absent']);
});

test('with a key its signature vouches for it, and it is copied as it was signed', async (t) => {
  const machine = aMachine(t, { loader: '256' });
  const key = join(machine.root, 'db.key');
  fs.writeFileSync(key, privateKeyPem, { mode: 0o600 });
  const args = ['--certificate', certificatePath, '--private-key', key, '--quiet'];
  const run = (verb: string, ...more: readonly string[]) =>
    machine.runWith({}, verb, ...machine.arguments(), ...args, ...more);
  assert.equal((await run('install')).status, 0);
  const signed = machine.tree()[SYSTEMD];
  ran(machine, '256');
  machine.brings('257');
  assert.equal((await run('install')).status, 0);
  assert.equal(machine.tree()[PREVIOUS], signed);
  assert.deepEqual(versions(machine), ['257', '257', '256']);
  // Nobody signed this one. The loader did not run yet, so it mends nothing.
  machine.put(PREVIOUS, aSystemdBoot('256'));
  const { output, status } = await machine.runWith(
    {},
    'verify',
    ...['--esp', machine.esp, '--allow-directory', '--certificate', certificatePath],
  );
  assert.equal(status, 5);
  assert.match(output, /- EFI\/systemd\/systemd-boot-fallbackx64\.efi: its signature is not valid/);
  assert.equal((await run('install')).status, 0);
  assert.deepEqual(versions(machine), ['257', '257', 'absent']);
  assert.match((await run('install')).output, /nothing to do/);
});

for (const [what, content, problem] of [
  ['cut short', aSystemdBoot('256').subarray(0, 900), /truncated|cut short|ends/],
  ['of somebody else', 'no program at all', /./],
] as const) {
  test(`one that is ${what} is told, and mended by the loader that runs`, async (t) => {
    const machine = await upgraded(t);
    await machine.run('install');
    machine.put(PREVIOUS, content);
    const { output, status } = await machine.run('verify');
    assert.equal(status, 5);
    assert.match(output, /1 finding\n {2}- EFI\/systemd\/systemd-boot-fallbackx64\.efi: /);
    assert.match(output, problem);
    assert.equal((await machine.run('status')).status, 5);
    ran(machine, '257');
    assert.equal((await machine.run('repair')).status, 0);
    assert.deepEqual(versions(machine), ['257', '257', '257']);
    assert.equal((await machine.run('verify')).status, 0);
  });
}

test('nobody has to want one', async (t) => {
  const machine = await upgraded(t);
  await machine.run('install', '--loader-fallback', 'false');
  assert.deepEqual(versions(machine), ['257', '257', 'absent']);
  machine.put(PREVIOUS, aSystemdBoot('256'));
  assert.match((await machine.run('install')).output, /nothing to do/);
  const config = join(machine.root, 'espalier.toml');
  fs.writeFileSync(config, 'loader-fallback = false\n');
  const { output } = await machine.run('plan', '--config', config);
  assert.match(output, /- EFI\/systemd\/systemd-boot-fallbackx64\.efi .* because loader-fallback/);
  await machine.run('gc', '--config', config);
  assert.deepEqual(versions(machine), ['257', '257', 'absent']);
});

test('status tells that a machine came up on it, and keeps it', async (t) => {
  const machine = await upgraded(t);
  await machine.run('install');
  ran(machine, '256', PREVIOUS);
  const { output, status } = await machine.run('status');
  assert.equal(status, 5);
  assert.match(
    output,
    /yes, as it came up last[\s\S]*- the machine came up on its fallback,\s+EFI\/systemd\/systemd-boot-fallback/,
  );
  assert.match(output, /^ +EFI\/systemd\/systemd-boot-fallbackx64\.efi {2}systemd-boot 256$/m);
  machine.brings('258');
  await machine.run('install', '--loader-fallback', 'false');
  assert.deepEqual(versions(machine), ['258', '258', '256']);
});

test('a directory in its place keeps nothing else from being done', async (t) => {
  const machine = await upgraded(t);
  machine.put(`${PREVIOUS}/file`, 'somebody’s');
  assert.equal((await machine.run('install')).status, 0);
  assert.equal(version(machine, SYSTEMD), '257');
  assert.equal(machine.read(`${PREVIOUS}/file`), 'somebody’s');
});

test('each mirror keeps its own, of a loader that ran from either', async (t) => {
  const machine = aMachine(t, { loader: '256' });
  const mirror = join(machine.root, 'mirror');
  fs.mkdirSync(mirror);
  assert.equal((await machine.run('install', '--esp', mirror)).status, 0);
  ran(machine, '256');
  machine.brings('257');
  assert.equal((await machine.run('install', '--esp', mirror)).status, 0);
  const [own, other] = [machine.tree(), machine.tree(mirror)];
  assert.equal(version(machine, PREVIOUS), '256');
  assert.equal(other[PREVIOUS], own[PREVIOUS]);
  assert.equal((await machine.run('status', '--esp', mirror)).status, 0);
});

test('it is given up where no room is left for it, and the newer loader is not', async (t) => {
  const machine = await upgraded(t);
  const CLUSTER = 4096;
  /** Plans with so many clusters free. */
  const planned = async (clusters: number) => {
    const space = { type: 0x4d44, clusterSize: CLUSTER, free: clusters * CLUSTER, total: 1 << 20 };
    const args = [...machine.arguments(), '--allow-unsigned', '--quiet', '--json'];
    const { status, output } = await machine.runWith(
      { disk: { fileSystem: () => space } },
      'plan',
      ...args,
    );
    if (status === 4) return { status, paths: [], warnings: [] };
    const { esps, warnings } = JSON.parse(output);
    const loaders = esps[0].plan.phases.filter(({ name }: { name: string }) => name === 'loader');
    const paths = loaders.map(({ steps }: { steps: { path: string }[] }) => steps[0]?.path);
    return { status, paths, warnings };
  };
  const tried = [];
  for (let clusters = 0; clusters < 12; clusters++) tried.push(await planned(clusters));
  const statuses = tried.map(({ status }) => status);
  assert.deepEqual([...new Set(statuses)], [4, 5, 0]);
  const tight = tried[statuses.indexOf(5)];
  assert.deepEqual(tight?.paths, [SYSTEMD, FALLBACK]);
  assert.match(tight?.warnings[0], /fallbackx64\.efi is not written: .* no room/);
  assert.deepEqual(tried.at(-1)?.paths, [PREVIOUS, SYSTEMD, FALLBACK]);
});
