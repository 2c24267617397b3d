/** `measure`: images by their paths and entries by their generations, profile by profile and phase by phase. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { lockPe } from '../../src/measure/pcrlock.ts';
import { BANKS } from '../../src/uki/pcr-bank.ts';
import { predictPcr11 } from '../measure/predict.ts';
import { VECTORS, vectorImage } from '../measure/vectors.ts';
import { type ASection, aPe, countingBytes } from '../pe/a-pe.ts';
import { aMachine, type Machine } from './a-machine.ts';

const section = (name: string, text: string): ASection => ({ name, bytes: Buffer.from(text) });
const BASE = [section('.linux', 'KERNEL'), section('.osrel', 'ID=x\n')];
const CMDLINE = section('.cmdline', 'quiet');
const profile = (id: string) => section('.profile', `ID=${id}\n`);

interface Boot {
  readonly image: string;
  readonly entry?: string;
  readonly profile: number;
  readonly id?: string;
  readonly values: Record<string, { pcr: number; phase?: string; hash: string }[]>;
  readonly events: { pcr: number; event: string; digests: Record<string, string> }[];
}

async function boots(machine: Machine, ...args: readonly string[]): Promise<Boot[]> {
  const { status, output, error } = await machine.run('measure', '--json', ...args);
  assert.equal(status, 0, error?.message);
  return JSON.parse(output).boots;
}

function anImage(t: TestContext, bytes: Uint8Array) {
  const machine = aMachine(t);
  const path = join(machine.root, 'image.efi');
  writeFileSync(path, bytes);
  return { machine, path };
}

const of = (boot: Boot | undefined, pcr: number, bank = 'sha256') =>
  boot?.values[bank]?.filter((value) => value.pcr === pcr);

test('of an image, every phase in every bank is what systemd-measure calculates', async (t) => {
  const { machine, path } = anImage(t, vectorImage());
  const phases = VECTORS.calculate.sha1.flatMap(({ phase = ':' }) => ['--phase', phase]);
  const [boot] = await boots(machine, path, ...phases);
  for (const bank of BANKS) assert.deepEqual(of(boot, 11, bank), VECTORS.calculate[bank]);
});

test('a person reads the lines of systemd-measure', async (t) => {
  const { machine, path } = anImage(t, vectorImage());
  const { output } = await machine.run('measure', path, '--phase', ':', '--bank', 'sha256');
  assert.deepEqual(output.split('\n'), [
    '# PCR[11] Phase <:>',
    `11:sha256=${VECTORS.calculate.sha256[0]?.hash}`,
    '# PCR[12]',
    `12:sha256=${'0'.repeat(64)}`,
  ]);
});

/** PCR 12 in SHA-256, as it was measured when firmware, loader 262 and stub 262 ran. */
const CONFIG = [
  '0'.repeat(64),
  '43748966918e643dd9cafae7d08280f008126588ff7a6faedc9c38b745a71d66',
  'f515da7624b33a2f478590a32a9736985475aad2d9e72329c7452c098cfad439',
];

test('each profile has its values: PCR 11 of its sections, PCR 12 of its number', async (t) => {
  const bytes = aPe({
    sections: [
      ...BASE,
      CMDLINE,
      profile('a'),
      profile('b'),
      profile('c'),
      section('.cmdline', 'x'),
    ],
  });
  const { machine, path } = anImage(t, bytes);
  const found = await boots(machine, path, '--bank', 'sha256', '--phase', ':');
  assert.deepEqual(
    found.map((boot) => [boot.profile, boot.id, of(boot, 11)?.[0]?.hash, of(boot, 12)?.[0]?.hash]),
    ['a', 'b', 'c'].map((id, number) => {
      const { sha256 } = predictPcr11(bytesSource(bytes), { profile: number });
      return [number, id, sha256, CONFIG[number]];
    }),
  );
  const [second, ...others] = await boots(machine, path, '--profile', '1');
  assert.equal(second?.id, 'b');
  assert.deepEqual(others, []);
});

test('a record for systemd-pcrlock is of one profile: what measure predicts for PCR 4 and 11', async (t) => {
  const sections = [...BASE, CMDLINE, profile('a'), profile('b')];
  const { machine, path } = anImage(t, aPe({ sections }));
  const lock = (...args: string[]) => machine.runWith({}, 'pcrlock', 'lock-uki', path, ...args);
  const predicted = await boots(machine, path);
  for (const number of [0, 1]) {
    const { records } = JSON.parse((await lock('--profile', `${number}`)).output);
    const events = predicted[number]?.events.filter(({ pcr }) => pcr !== 12);
    assert.deepEqual(
      records.map(({ pcr, digests }: Locked) => [pcr, digests.map(({ digest }) => digest)]),
      events?.map(({ pcr, digests }) => [pcr, BANKS.map((bank) => digests[bank])]),
    );
  }
  const { error } = await lock();
  assert.equal(error?.hint?.startsWith('name one with --profile'), true);
  assert.match(`${(await lock('--profile', '2')).error?.cause}`, /profile/);
  assert.match(
    (await lock('--profile', 'b')).error?.message ?? '',
    /^--profile: expected a number/,
  );
});

interface Locked {
  readonly pcr: number;
  readonly digests: readonly { readonly digest: string }[];
}

test('an entry starts an image with its options, and what the stub takes of them counts', async (t) => {
  const { machine } = anImage(t, vectorImage());
  machine.put('EFI/x.efi', aPe({ sections: [...BASE, CMDLINE, profile('a'), profile('b')] }));
  machine.put('loader/entries/x.conf', 'title x\nlinux /EFI/x.efi\noptions @01\noptions a b\n');
  const told = async (...args: string[]) =>
    (await boots(machine, 'x', ...args))[0]?.events
      .filter(({ pcr }) => pcr === 12)
      .map(({ event, digests }) => [event, digests['sha256']]);
  const wide = (text: string) =>
    createHash('sha256')
      .update(Buffer.from(`${text}\0`, 'utf16le'))
      .digest('hex');
  const secure = [
    ['options, by the loader', wide('@01 a b')],
    ['profile, by the stub', wide('1')],
  ];
  assert.deepEqual(await told(), secure);
  const taken = ['command line, by the stub', wide('a b')];
  assert.deepEqual(await told('--secure-boot', 'off'), [...secure, taken]);
});

test('of a generation, loader and image extend PCR 4 as they are recorded for systemd-pcrlock', async (t) => {
  const machine = aMachine(t, { generations: [{}, { specialisations: { gaming: {} } }] });
  await machine.run('install');
  assert.equal((await boots(machine, '2')).length, 2);
  const [boot] = await boots(machine, '1');
  const started = ['EFI/systemd/systemd-bootx64.efi', `EFI/Linux/${boot?.entry}`].map((path) => {
    const source = bytesSource(readFileSync(join(machine.esp, path)));
    return lockPe(source, createHash)[0]?.digests;
  });
  const events = boot?.events.filter(({ pcr }) => pcr === 4);
  assert.deepEqual(
    events?.map(({ digests }) => digests),
    started,
  );
  assert.deepEqual(
    events?.map(({ event }) => event),
    ['loader', 'image'],
  );
});

/** A machine with a thin image on a stub, which says this of itself to firmware. */
async function aThinMachine(t: TestContext, stubInfo: string) {
  const machine = aMachine(t);
  const stub = join(machine.root, 'stub.efi');
  const sections = [{ name: '.text', bytes: countingBytes(800) }, section('.rdata', stubInfo)];
  writeFileSync(stub, aPe({ sections }));
  await machine.run('install', '--format', 'thin', '--stub', stub);
  return machine;
}

const FILES = [
  ['.linux', /kernel-/],
  ['.initrd', /initrd-/],
] as const;

for (const stubInfo of ['a stub of no version', 'lanzastub 1.1.0', 'lanzastub 1.0.0']) {
  const isNew = stubInfo !== 'lanzastub 1.0.0';
  const [counts, other] = isNew ? ['the files', 'paths'] : ['the paths', 'files'];
  test(`of a thin image on ${stubInfo}, ${counts} count and not the ${other}`, async (t) => {
    const machine = await aThinMachine(t, stubInfo);
    const [boot] = await boots(machine, '1');
    const [image = ''] = machine.paths(/^EFI\/Linux\//);
    assert.deepEqual(
      await boots(machine, join(machine.esp, image)).then(([one]) => one?.values),
      boot?.values,
    );
    for (const [name, pattern] of FILES) {
      const [path = ''] = machine.paths(pattern);
      const counted = isNew
        ? readFileSync(join(machine.esp, path))
        : `\\${path.replaceAll('/', '\\')}`;
      const measured = boot?.events.find(({ event }) => event === name);
      const expected = createHash('sha256').update(counted).digest('hex');
      assert.equal(measured?.digests['sha256'], expected);
    }
  });
}

test('of a thin image on a stub that measures in a way of its own, nothing is predicted', async (t) => {
  const machine = await aThinMachine(t, 'lanzastub 0.4.3');
  const { error } = await machine.run('measure', '1');
  assert.equal(error?.code, 'CONFIG_INVALID');
  assert.match(error.message, /what lanzastub 0\.4\.3 measures is not predicted/);
});

test('an old stub has the firmware measure the kernel inside, where Secure Boot is off', async (t) => {
  const kernel = aPe();
  const stub = (version: number) =>
    section('.sdmagic', `#### LoaderInfo: systemd-stub ${version}.1 ####`);
  const programs = async (version: number, secureBoot: string) => {
    const sections = [stub(version), { name: '.linux', bytes: kernel }, CMDLINE];
    const { machine, path } = anImage(t, aPe({ sections }));
    const [boot] = await boots(machine, path, '--secure-boot', secureBoot);
    return boot?.events.filter(({ pcr }) => pcr === 4).map(({ digests }) => digests);
  };
  const [record] = lockPe(bytesSource(kernel), createHash);
  assert.deepEqual((await programs(257, 'off'))?.[1], record?.digests);
  assert.equal((await programs(257, 'on'))?.length, 1);
  assert.equal((await programs(258, 'off'))?.length, 1);
});

const REFUSED = [
  [['7'], /7: no such file, and no entry/],
  [['1', '--bank', 'md5'], /--bank.*expected one of sha1/],
  [['1', '--profile', 'x'], /--profile.*expected a number/],
  [['1', '--profile', '1'], /profile 1: the image has 1 profile, counted from 0/],
  [['1', '--secure-boot', 'maybe'], /expected on or off/],
] as const;

test('what is not there or makes no sense is refused by its name', async (t) => {
  const machine = aMachine(t);
  await machine.run('install');
  for (const [args, expected] of REFUSED) {
    const { error } = await machine.run('measure', ...args);
    assert.equal(error?.code, 'CONFIG_INVALID', args.join(' '));
    const { message, cause } = error;
    assert.match(`${message} ${cause instanceof Error ? cause.message : ''}`, expected);
  }
});

test('of a kernel with an initrd beside it, nothing is predicted', async (t) => {
  const machine = aMachine(t);
  await machine.run('install', '--format', 'type1');
  const { error } = await machine.run('measure', '1');
  assert.match(error?.message ?? '', /what it starts is no image/);
});
