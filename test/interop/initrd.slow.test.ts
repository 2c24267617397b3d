/** Initrds that real tools made, against what those tools list; and bombs in a process of their own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { lintInitrd } from '../../src/initrd/lint.ts';
import { findXz } from '../../src/initrd/xz-program.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { listed, padded, together, zstdBomb } from '../initrd/an-initrd.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { makeDracut } from '../lab/dracut.ts';
import { findParts } from '../lab/parts.ts';
import { environment, run } from '../lab/run.ts';
import { hasToolRoot } from '../lab/tool-root.ts';
import { installCommand, missingTools } from '../lab/tools.ts';

const missing = missingTools(['cpio', 'lz4', 'xz-utils', 'zstd']);
const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

/** How initrds are packed, with options that their makers use. */
const PACKERS: readonly (readonly [program: string, ...args: string[]])[] = [
  ['cat'],
  ['gzip', '-9', '-n'],
  ['zstd', '-q', '-3'],
  ['zstd', '-q', '-19', '-T2', '--check'],
  ['zstd', '-q', '--ultra', '-22', '--long=27', '--no-check'],
  ['xz', '--check=crc32', '--lzma2=dict=1MiB'],
  ['xz', '--check=none', '-T2', '--block-size=200000'],
  ['lz4', '-l', '-9', '-q'],
  ['lz4', '-l', '-1', '-q'],
];

const machine = nodeMachine(new URL(import.meta.url));
const unxz = findXz(machine, environment());

/** Runs a program as a filter. */
function filtered(
  [program, ...args]: readonly [string, ...string[]],
  input: Uint8Array,
): Uint8Array {
  const { status, stdout, stderr } = spawnSync(program, args, {
    input,
    maxBuffer: 2 ** 30,
    env: environment(),
  });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stderr}`);
  return Uint8Array.from(stdout);
}

function aFolder(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'espalier-initrd-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

/** What cpio itself lists in an archive. */
function cpioList(archive: Uint8Array): readonly string[] {
  const text = new TextDecoder().decode(filtered(['cpio', '-it', '--quiet'], archive));
  return text.split('\n').filter((line) => line !== '');
}

/** An archive that cpio made of this project's sources, of several kinds. */
function sources(format = 'newc'): Uint8Array {
  const root = join(import.meta.dirname, '../../src');
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' }).join('\n');
  const { status, stdout } = spawnSync('cpio', ['-o', '-H', format, '--quiet'], {
    input: names,
    cwd: root,
    maxBuffer: 2 ** 30,
  });
  assert.equal(status, 0);
  return Uint8Array.from(stdout);
}

describe('what real tools packed', { skip }, () => {
  const early = formatCpio([memberOf('kernel/x86/microcode/AuthenticAMD.bin', 'new')]);
  const late = formatCpio([memberOf('secret', 'x')]);

  for (const packer of PACKERS) {
    test(`${packer.join(' ')}: all its members, and those before and behind it`, async () => {
      const archive = sources();
      const packed = filtered(packer, archive);
      // A word of zeros, as lz4 wants it.
      const bytes = together(early, padded(packed), new Uint8Array(4), late);
      const { paths, obstacle } = await listed(bytes, { unxz });
      assert.equal(obstacle, undefined, obstacle?.reason);
      const expected = [early, archive, late].flatMap(cpioList);
      assert.ok(expected.length > 100);
      assert.deepEqual(paths, expected);
    });

    test(`${packer.join(' ')}: damaged anywhere, it ends`, async () => {
      const packed = filtered(packer, sources());
      for (let step = 1; step < 12; step++) {
        const at = Math.floor((packed.length * step) / 12);
        const byte = packed[at] ?? 0;
        const changed = packed.with(at, byte ^ 0x55);
        for (const bytes of [changed, packed.subarray(0, at)]) {
          const { obstacle } = await listed(bytes, { unxz, unpackedLimit: 2 ** 26 });
          assert.ok(obstacle === undefined || obstacle.reason.length < 300);
        }
      }
      const half = await listed(packed.subarray(0, packed.length / 2), { unxz });
      assert.equal(half.obstacle?.kind, 'damaged');
    });
  }

  test('one behind the other, of every kind', async () => {
    const archive = sources('crc');
    const bytes = together(
      ...PACKERS.flatMap((packer) => [padded(filtered(packer, archive)), new Uint8Array(4)]),
    );
    const { paths, obstacle } = await listed(bytes, { unxz });
    assert.equal(obstacle, undefined, obstacle?.reason);
    const names = cpioList(archive);
    assert.deepEqual(
      paths,
      PACKERS.flatMap(() => names),
    );
  });

  test('xz without the program cannot be looked into, and what comes before can', async () => {
    const packed = filtered(['xz', '--check=crc32'], sources());
    const { paths, obstacle } = await listed(together(late, packed));
    assert.deepEqual(paths, ['secret']);
    assert.equal(obstacle?.kind, 'unreadable');
    assert.match(obstacle?.reason ?? '', /no program xz/);
    assert.equal(findXz(machine, { PATH: '/nonexistent' }), undefined);
  });

  test('what xz says of damage is told', async () => {
    // Of a large archive, damaged bytes come out before xz complains, and which depends on its inode numbers.
    const packed = filtered(['xz', '--check=crc32'], late);
    const { obstacle } = await listed(packed.with(40, (packed[40] ?? 0) ^ 1), { unxz });
    assert.equal(obstacle?.kind, 'damaged');
    assert.match(obstacle?.reason ?? '', /xz ended with status 1: .*corrupt/i);
  });
});

describe('an initrd of dracut', () => {
  const parts = findParts();
  const isHere = parts !== undefined && hasToolRoot();

  test('is read whole, and opens a verity device when it has what that takes', {
    skip: skip || (!isHere && 'needs the real parts'),
  }, async (t) => {
    assert.ok(parts);
    const folder = aFolder(t);
    const bin = makeDracut(parts, folder);
    const make = (...more: readonly string[]): Uint8Array => {
      const image = join(folder, 'initrd');
      const args = ['--no-uefi', '--force', '--kver', parts.kernelVersion, ...more, image];
      run('dracut', args, { env: { PATH: `${bin}:${process.env['PATH']}`, TMPDIR: folder } });
      return Uint8Array.from(fs.readFileSync(image));
    };
    const kinds = async (bytes: Uint8Array) =>
      (await lintInitrd(bytesSource(bytes), { unxz })).map((found) =>
        found.kind === 'obstacle' ? found.obstacle.reason : `${found.kind} ${found.what}`,
      );
    const bare = make('--filesystems', 'erofs');
    const { paths, obstacle } = await listed(bare);
    assert.equal(obstacle, undefined, obstacle?.reason);
    assert.deepEqual(
      paths.filter((path) => path !== '.'),
      cpioList(bare).filter((path) => path !== '.'),
    );
    assert.deepEqual(await kinds(bare), ['missing veritysetup', 'missing dm-verity']);

    const whole = make('--add-drivers', 'dm-verity', '--add', 'systemd-veritysetup');
    for (const packer of [
      ['zstd', '-q', '-1'],
      ['gzip', '-1'],
      ['lz4', '-l', '-q'],
    ] as const)
      assert.deepEqual(await kinds(filtered(packer, whole)), []);
  });
});

describe('a bomb', () => {
  test('of 10 GiB in 320 KiB ends, in little memory', async (t) => {
    const bomb = join(aFolder(t), 'bomb');
    fs.writeFileSync(bomb, zstdBomb(80 * 1024, 0));
    const room = join(import.meta.dirname, '../../src');
    const script = `
      import { readFileSync } from 'node:fs';
      import { bytesSource } from '${room}/byte-source.ts';
      import { readInitrd } from '${room}/initrd/archive.ts';
      const items = [];
      for await (const item of readInitrd(bytesSource(readFileSync('${bomb}')))) items.push(item);
      console.log(JSON.stringify({ items, peak: 1024 * process.resourceUsage().maxRSS }));`;
    const args = ['--input-type=module', '--eval', script];
    const { items, peak } = JSON.parse(run(process.execPath, args));
    assert.equal(items.length, 1);
    assert.equal(items[0].obstacle.kind, 'unreadable');
    assert.match(items[0].obstacle.reason, /at most 4294967296 bytes unpacked/);
    t.diagnostic(`peak ${Math.round(peak / 2 ** 20)} MiB`);
    // Node itself takes 80 MiB, and collects garbage when it likes.
    assert.ok(peak < 300 * 2 ** 20, `${peak} bytes`);
  });
});
