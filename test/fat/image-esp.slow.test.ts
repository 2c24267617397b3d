/** The verbs on an ESP in a disk image: what they do on a mounted one, and nothing else. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import type { Context } from '../../src/context.ts';
import { EspError } from '../../src/error.ts';
import { formatFat } from '../../src/fat/format.ts';
import { mkfsGeometry } from '../../src/fat/geometry.ts';
import { formatMbr } from '../../src/gpt/mbr.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';
import { MAIN } from '../command/a-machine.ts';
import { smallPayload, World } from '../crash/world.ts';
import { aDisk } from '../gpt/a-disk.ts';
import { usedBy } from '../support/used-by.ts';
import { memoryRegion } from './a-region.ts';

const folder = fs.mkdtempSync(join(tmpdir(), 'espalier-images-'));
after(() => fs.rmSync(folder, { recursive: true }));

const ESP = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const LINUX = '0fc63daf-8483-4772-8e79-3d69d8477de4';
const UUID = (digit: number) => `11111111-2222-4333-8444-00000000000${digit}`;

/** Firmware takes a small FAT16, and no small FAT32. */
function anEsp(bits: 16 | 32 = 16): Uint8Array {
  const bytes = new Uint8Array(3 * 2 ** 20);
  const region = memoryRegion(bytes);
  const geometry = mkfsGeometry(bytes.length, { bits, clusterSize: 512 });
  formatFat({ region, geometry, label: 'ESP', volumeId: 1, epoch: 0 });
  return bytes;
}

/** Writes a disk with a partition of Linux, and an ESP for each of the others. */
function place(name: string, esps = 1): string {
  const path = join(folder, name);
  const linux = { type: LINUX, uuid: UUID(1), bytes: new Uint8Array(4096) };
  const others = Array.from({ length: esps }, (_, at) => ({
    ...{ type: ESP, uuid: UUID(at + 2), bytes: anEsp() },
  }));
  fs.writeFileSync(path, aDisk([linux, ...others]));
  return path;
}

const world = new World(join(folder, 'world'), smallPayload());
world.brings('257');
world.generation(1);
world.generation(2);

interface Ran {
  readonly status: number;
  readonly output: string;
  readonly error?: EspError;
}

async function espalier(
  verb: string,
  args: readonly string[],
  given: Partial<Context> = {},
): Promise<Ran> {
  const printed: string[] = [];
  const context = { ...processContext(pathToFileURL(MAIN)), ...given };
  try {
    const all = usedBy([...verb.split(' '), ...args, ...world.settings()]);
    const print = (text: Text) => void printed.push(plain(text));
    const status = await run([...all, '--quiet'], '0.0.0', { ...context, print });
    return { status, output: printed.join('\n') };
  } catch (error) {
    assert.ok(error instanceof EspError, String(error));
    return { status: error.status, output: printed.join('\n'), error };
  }
}

const digestOf = (path: string) => createHash('sha256').update(fs.readFileSync(path)).digest('hex');

describe('an ESP in a disk image', () => {
  test('is found by its type, gets what a directory would get, and is in line afterwards', async () => {
    const image = place('found.raw');
    const planned = await espalier('plan', ['--esp', image]);
    assert.equal(planned.status, 0, planned.error?.message);
    assert.match(planned.output, /found\.raw#2/);
    const installed = await espalier('install', ['--esp', image]);
    assert.equal(installed.status, 0, installed.error?.message);
    for (const verb of ['verify', 'status', 'list', 'repair', 'gc', 'plan']) {
      const { status, error } = await espalier(verb, ['--esp', image]);
      assert.equal(status, 0, `${verb}: ${error?.message}`);
    }
    assert.match((await espalier('repair', ['--esp', image])).output, /nothing to do/);
    assert.match((await espalier('list', ['--esp', image])).output, /^2 .* next$/m);
  });

  test('gets the steps and the files of a directory', async () => {
    const image = place('same.raw');
    const steps = async (args: readonly string[]) => {
      const { esps } = JSON.parse((await espalier('plan', [...args, '--json'])).output);
      return esps[0].phases;
    };
    fs.mkdirSync(world.esp, { recursive: true });
    assert.deepEqual(await steps(['--esp', image]), await steps(world.onDirectory()));
  });

  test('gets equal bytes from equal runs, whenever and by whichever process', async () => {
    const [one, other] = [place('one.raw'), place('other.raw')];
    await espalier('install', ['--esp', one]);
    await espalier('install', ['--esp', other], { now: 4_000_000_000, processId: 7 });
    assert.equal(digestOf(one), digestOf(other));
  });

  test('is what a number, an offset or a bare file names', async () => {
    const image = place('two.raw', 2);
    const bare = join(folder, 'bare.img');
    fs.writeFileSync(bare, anEsp());
    const offset = 512 * (2 + 32 + 8);
    for (const named of [`${image}#3`, `${image}@${offset}`, bare]) {
      const { status, error } = await espalier('install', ['--esp', named]);
      assert.equal(status, 0, `${named}: ${error?.message}`);
    }
    const mirrored = await espalier('status', ['--esp', `${image}#2`, '--esp', `${image}#3`]);
    assert.equal(mirrored.status, 0, mirrored.error?.message);
  });

  test('is one, under whichever names: two writers would not know of each other', async () => {
    const image = place('names.raw');
    const hard = join(folder, 'hard.raw');
    fs.linkSync(image, hard);
    const before = digestOf(image);
    for (const other of [`${image}@${512 * (2 + 32 + 8)}`, hard]) {
      const { status, error } = await espalier('install', ['--esp', image, '--esp', other]);
      assert.equal(status, 2);
      assert.match(error?.message ?? '', /are the same file system/);
    }
    assert.equal(digestOf(image), before);
  });

  test('at an offset where a partition of another type begins is refused', async () => {
    const image = join(folder, 'linux.raw');
    fs.writeFileSync(image, aDisk([{ type: LINUX, uuid: UUID(1), bytes: anEsp() }]));
    const { status, error } = await espalier('install', ['--esp', `${image}@${512 * (2 + 32)}`]);
    assert.equal(status, 2);
    assert.match(error?.message ?? '', /firmware does not start from it/);
  });

  test('is found in a table of MS-DOS, where unused places keep their number', async () => {
    const image = join(folder, 'dos.raw');
    const esp = anEsp();
    const mbr = formatMbr({
      partitions: [
        { type: 0x83, first: 8, count: 8 },
        { type: 0xef, first: 16, count: esp.length / 512 },
      ],
      signature: 0x1234_abcd,
    });
    // The first two places are free.
    mbr.copyWithin(478, 446, 478).fill(0, 446, 478);
    fs.writeFileSync(image, Buffer.concat([mbr, new Uint8Array(15 * 512), esp]));
    const { status, output, error } = await espalier('install', ['--esp', image]);
    assert.equal(status, 0, error?.message);
    assert.match(output, /dos\.raw#4/);
  });

  test('waits for the lock of its image, and sees what the run before it wrote', async () => {
    const image = place('locked.raw');
    const both = await Promise.all([1, 2].map(() => espalier('install', ['--esp', image])));
    assert.deepEqual(
      both.map(({ status }) => status),
      [0, 0],
    );
    assert.equal((await espalier('verify', ['--deep', '--esp', image])).status, 0);
  });

  test('which firmware may not read is told, and verified as such', async () => {
    const image = join(folder, 'small.img');
    fs.writeFileSync(image, anEsp(32));
    assert.equal((await espalier('install', ['--esp', image])).status, 5);
    const { status, output } = await espalier('verify', ['--esp', image]);
    assert.equal(status, 5);
    assert.match(output, /at least 65525 clusters, got \d+/);
  });

  test('says nothing about the EFI variables of this machine, and asks none', async () => {
    const image = place('quiet.raw');
    const { disk } = processContext(pathToFileURL(MAIN));
    const asked: string[] = [];
    const stat = (path: string) => {
      asked.push(path);
      return disk.stat(path);
    };
    const listening = { ...disk, stat };
    await espalier('install', ['--esp', image], { disk: listening, host: listening });
    assert.deepEqual(
      asked.filter((path) => path.includes('efivars')),
      [],
    );
  });
});

describe('an image is refused, and left as it is,', () => {
  const cases: readonly (readonly [string, (path: string) => string, RegExp, number])[] = [
    ['when it is qcow2', (path) => over(path, 0, 'QFI\xfb'), /qcow2 image/, 2],
    ['when it is packed', (path) => over(path, 0, '\xfd7zXZ\0'), /compressed with xz/, 2],
    [
      'when its table is damaged',
      (path) => over(over(path, 600, 'x'), -500, 'x'),
      /partition table/,
      1,
    ],
    [
      'when the number is another’s',
      (path) => `${path}#1`,
      /firmware does not start|expected a FAT/,
      3,
    ],
    ['when there is no such number', (path) => `${path}#9`, /there is no ESP, among #1 .*#2/, 2],
    [
      'when the ESP is damaged',
      (path) => over(path, 42 * 512 + 13, '\0'),
      /sectors in a cluster/,
      1,
    ],
    ['when the ESP is in use', (path) => over(path, 42 * 512 + 37, '\x01'), /in use/, 1],
  ];
  for (const [index, [when, change, expected, status]] of cases.entries()) {
    test(when, async () => {
      const image = place(`refused-${index}.raw`);
      const named = change(image);
      const before = digestOf(image);
      const ran = await espalier('install', ['--esp', named]);
      assert.match(ran.error?.message ?? '', expected);
      assert.equal(ran.status, status);
      assert.equal(digestOf(image), before);
    });
  }

  test('when two partitions are ESPs and none is named', async () => {
    const { error } = await espalier('install', ['--esp', place('many.raw', 2)]);
    assert.match(error?.message ?? '', /it has 2 partitions for ESPs/);
  });

  test('when it is attached to a loop device', async () => {
    const image = place('busy.raw');
    const { disk } = processContext(pathToFileURL(MAIN));
    const note = '/sys/block/loop7/loop/backing_file';
    const attached = {
      ...disk,
      list: (path: string) =>
        path === '/sys/block' ? [{ name: 'loop7', kind: 'link' as const }] : disk.list(path),
      stat: (path: string) => disk.stat(path === note ? image : path),
      read: (path: string, limit: number) =>
        path === note ? Buffer.from(`${image}\n`) : disk.read(path, limit),
    };
    const { error, status } = await espalier('install', ['--esp', image], { host: attached });
    assert.equal(error?.code, 'IMAGE_BUSY');
    assert.equal(status, 3);
    assert.equal((await espalier('list', ['--esp', image], { host: attached })).status, 0);
  });

  test('beside a mounted ESP, and by verbs that know mounted ESPs alone', async () => {
    const image = place('alone.raw');
    const mixed = await espalier('install', ['--esp', image, '--esp', folder]);
    assert.match(mixed.error?.message ?? '', /one or the other/);
    for (const verb of ['keys status', 'watch']) {
      assert.equal((await espalier(verb, ['--esp', image])).error?.code, 'CONFIG_INVALID', verb);
    }
  });
});

/** Overwrites bytes of a file; an offset below zero is one from its end. */
function over(path: string, offset: number, text: string): string {
  const file = fs.openSync(path, 'r+');
  const at = offset < 0 ? fs.fstatSync(file).size + offset : offset;
  fs.writeSync(file, Buffer.from(text, 'latin1'), 0, text.length, at);
  fs.closeSync(file);
  return path;
}
