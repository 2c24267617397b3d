/** Runs every verb over a hostile ESP, and holds what happened against what must never happen. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { OpenFile } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { aKernel, aMachine, type Machine } from '../command/a-machine.ts';
import type { GenerationShape } from '../generation/a-generation.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { usedBy } from '../support/used-by.ts';
import type { HostileCase, Names, Site } from './case.ts';
import { type Measure, type Measured, MOST_MEMORY } from './measured.ts';
import { aSecret, changes, snapshot } from './snapshot.ts';

/** Verbs that change nothing, as a person sees them. */
const LOOKS = [
  ['list'],
  ['status'],
  ['status', '--metrics'],
  ['verify', '--deep'],
  ['plan'],
] as const;

/** In an order in which each finds what the one before it left. */
const CHANGES = [
  ['gc', '--json'],
  ['repair', '--json'],
  ['install'],
  ['install', '--json'],
] as const;

/** A run is done, failed, was refused, found no space, or has something to say. A usage error is none of these. */
const HONEST = [0, 1, 3, 4, 5];

/** What a run reads of a file of somebody else's: headers, and a few sections that are shown. Bytes. */
const MOST_READ = 256 * 1024;

/** What the program may replace or remove, in any case, and what becomes of it. */
const OURS = [
  /^EFI\/Linux\/nixos-generation-\d+(-specialisation-[a-z0-9_.-]+)?-[a-z2-7]{52}(\+\d+(-\d+)?)?\.efi$/i,
  /^loader\/entries\/nixos-generation-\d+(-specialisation-[a-z0-9_.-]+)?-[a-z2-7]{52}(\+\d+(-\d+)?)?\.conf$/i,
  /^EFI\/nixos\/(kernel|initrd|devicetree)-[a-z0-9._+-]+-[a-z2-7]{52}\.efi$/i,
  /^EFI\/nixos\/extra-files-[a-z2-7]{52}\.txt$/i,
  /^EFI\/systemd\/systemd-bootx64\.efi$/i,
  /^EFI\/BOOT\/BOOTX64\.EFI$/i,
  /^loader\/loader\.conf$/i,
  // What is no word says nothing of who lays out the entries, and is written anew.
  /^loader\/entries\.srel$/i,
  /(^|\/)\.espalier-\d{1,10}-\d{1,10}\.tmp$/,
];
/** What a first installation makes, and no later one touches. */
const MADE = /^(EFI(\/(Linux|systemd|BOOT|nixos))?|loader(\/entries|\/entries\.srel)?)$/i;

const isOurs = (path: string): boolean => OURS.some((pattern) => pattern.test(path));

/** Makes the machine of a case, lets every verb loose on it, and checks what must hold in all of them. */
export async function besiege(t: TestContext, hostile: HostileCase, measure: Measure) {
  const count = hostile.generations ?? 2;
  const machine = aMachine(t, {
    generations: Array.from({ length: count }, (_, at) => unlike(at)),
  });
  const elsewhere = ['esp', 'cache', 'espalier'];
  aSecret(machine.root);
  const policy = [
    ...(hostile.format ? ['--format', hostile.format] : []),
    ...(hostile.signed
      ? ['--certificate', certificatePath, '--private-key', privateKeyPath, '--allow-insecure-key']
      : ['--allow-unsigned']),
  ];
  const commandLine = (verb: string, ...more: readonly string[]) =>
    usedBy([verb, ...machine.arguments(), ...policy, ...more]);
  const perform = ([verb = '', ...more]: readonly string[]): Measured => {
    const ran = measure(commandLine(verb, ...more), machine.environment());
    requireSound(`${verb} ${more.join(' ')}`, ran, hostile);
    return ran;
  };
  assert.equal(perform(['install']).status, 0);
  const site = siteOf(machine, hostile);
  if (hostile.fresh) {
    for (const name of fs.readdirSync(machine.esp)) {
      fs.rmSync(join(machine.esp, name), { recursive: true });
    }
  }
  hostile.plant(site);
  const outside = snapshot(machine.root, elsewhere);
  const planted = snapshot(machine.esp);

  for (const look of LOOKS) perform(look);
  for (const verb of ['list', 'status', 'verify', 'plan']) {
    await requireShortSight(machine, commandLine(verb, '--json'), hostile);
  }
  assert.deepEqual(changes(planted, snapshot(machine.esp)), [], 'a look changes nothing');

  const ran = CHANGES.map((change) => perform(change)).at(-1);
  assert.deepEqual(changes(outside, snapshot(machine.root, elsewhere)), []);
  const isKnown = (path: string) => isOurs(path) || (MADE.test(path) && !planted.has(path));
  assert.deepEqual(changes(planted, snapshot(machine.esp), isKnown), [], 'what is foreign stays');
  if (hostile.stops !== undefined) {
    assert.match(ran?.stderr ?? '', new RegExp(`\\[${hostile.stops}\\]`));
    return;
  }
  assert.ok(ran?.status === 0 || ran?.status === 5, `${ran?.status}: ${ran?.stdout}${ran?.stderr}`);
  assert.match(ran.stdout, /"changes": \[\]/, 'the second run has nothing to do');
  requireInstalled(site);
  const { stdout } = perform(['verify', '--deep', '--json']);
  for (const path of site.generations.flatMap(({ entry, blobs }) => [entry, ...blobs])) {
    assert.ok(!stdout.includes(`"path": "${path}"`), stdout);
  }
}

/** A generation that shares no file with any other. */
function unlike(number: number): GenerationShape {
  return {
    tag: `system-${number}`,
    kernel: aKernel(`kernel ${number}`),
    initrd: `initrd ${number}`,
  };
}

/** What the generations have on the ESP, as a plain installation made it. */
function siteOf(machine: Machine, { format }: HostileCase): Site {
  const pattern =
    format === 'type1' ? /nixos-generation-(\d+)-.*\.conf$/ : /nixos-generation-(\d+)-.*\.efi$/;
  const number = (path: string) => Number(pattern.exec(path)?.[1]);
  const generations = machine
    .paths(pattern)
    .toSorted((a, b) => number(a) - number(b))
    .map((entry): Names => {
      const text = format === 'type1' ? machine.read(entry) : '';
      const blobs = [...text.matchAll(/^(?:linux|initrd) \/(.*)$/gm)].map(([, path = '']) => path);
      return { entry, blobs };
    });
  const current = generations.at(-1);
  assert.ok(current, 'nothing was installed');
  return { machine, generations, current };
}

/** A bug, a loop, a flood of memory, and words that steer a terminal are wrong in every case. */
function requireSound(command: string, ran: Measured, { stops }: HostileCase): void {
  const { status, stdout, stderr, peak } = ran;
  const said = `${command}: ${status}\n${stdout.slice(0, 4000)}\n${stderr.slice(0, 4000)}`;
  assert.ok(status !== null && HONEST.includes(status), said);
  assert.ok(peak < MOST_MEMORY, `${command} took ${Math.round(peak / 2 ** 20)} MiB`);
  assert.doesNotMatch(`${stdout}${stderr}`.replaceAll('\n', ' '), /[\p{Cc}\p{Cf}]/u, said);
  const code = /^espalier: .* \[([A-Z_]+)\]$/m.exec(stderr)?.[1];
  assert.ok(code === undefined || code === stops, said);
  if (code === undefined && command.includes('--json')) JSON.parse(stdout);
}

/** Runs a verb and counts what it reads: nothing outside, and of what is foreign no more than headers. */
async function requireShortSight(
  machine: Machine,
  args: readonly string[],
  { stops }: HostileCase,
): Promise<void> {
  const disk = nodeDisk();
  const reads = new Map<string, number>();
  const count = (path: string, bytes: number) => {
    const real = fs.realpathSync(path);
    reads.set(real, (reads.get(real) ?? 0) + bytes);
  };
  const open = (path: string): OpenFile => {
    const file = disk.open(path);
    count(path, 0);
    const counted = (bytes: Uint8Array) => {
      count(path, bytes.length);
      return bytes;
    };
    return {
      size: file.size,
      read: (offset, length) => counted(file.read(offset, length)),
      readInto: (offset, memory) => counted(file.readInto(offset, memory)),
      [Symbol.dispose]: () => file[Symbol.dispose](),
    };
  };
  const read = (path: string, limit: number) => {
    const bytes = disk.read(path, limit);
    count(path, bytes.length);
    return bytes;
  };
  const { output, error } = await machine.runWith({ disk: { open, read } }, ...args);
  assert.ok(error === undefined || error.code === stops, String(error));
  if (error === undefined) JSON.parse(output);
  for (const [path, bytes] of reads) {
    assert.ok(!path.startsWith(`${machine.root}/outside`), `${path} was read`);
    const inside = path.slice(machine.esp.length + 1);
    const foreign = path.startsWith(`${machine.esp}/`) && !isOurs(inside);
    assert.ok(!foreign || bytes <= MOST_READ, `${bytes} bytes of ${inside} were read`);
  }
}

/** The current generation is what boots next, and what every generation boots from is there. */
function requireInstalled({ machine, generations }: Site): void {
  assert.equal(machine.next(), generations.length);
  for (const [at, { entry, blobs }] of generations.entries()) {
    for (const path of [entry, ...blobs]) {
      const stats = fs.lstatSync(join(machine.esp, path), { throwIfNoEntry: false });
      assert.ok(stats?.isFile(), `${path} is no file`);
    }
    // A signature changes the headers, and stands behind what tells one kernel from another.
    const kernel = fs.readFileSync(join(machine.toplevel(at + 1), 'kernel')).subarray(-512);
    const image = fs.readFileSync(join(machine.esp, blobs[0] ?? entry));
    assert.ok(image.includes(kernel), `${entry} boots another kernel`);
  }
}
