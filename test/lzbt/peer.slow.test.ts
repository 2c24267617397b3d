/** Beside the real lanzaboote: the same machine installed by both, and each taking over the other's ESP. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { formatPcrlock, lockPe } from '../../src/measure/pcrlock.ts';
import { parseOsRelease } from '../../src/uki/os-release.ts';
import { aKernel, type Machine } from '../command/a-machine.ts';
import type { GenerationShape } from '../generation/a-generation.ts';
import { hasMeasuring } from '../lab/measuring.ts';
import { lanzabooteFiles } from './a-lanzaboote.ts';
import { age, type LzbtMachine } from './a-lzbt.ts';
import { sectionContents } from './image.ts';
import { aMachineForBoth, peerInstalls, placePcrlock, whyNoPeer } from './peer.ts';

const skip = whyNoPeer();

/** Shared and own kernels, rotating secrets, a specialisation, a sort key, parameters worth a look. */
const GENERATIONS: readonly GenerationShape[] = [
  { version: '6.1.2', kernel: aKernel('old') },
  { specialisations: { rescue: { kernelParams: ['emergency'] } } },
  { secrets: 'echo a secret >> "$1"', kernelParams: ['quiet', 'a="b c"', 'q=ü'] },
  {
    label: 'A system (of ours)',
    extensions: { 'org.nix-community.lanzaboote': { sort_key: 'first' } },
  },
];

const PAYLOADS = /^EFI\/nixos\//;
const IMAGES = /^EFI\/Linux\//;
const LOADERS = /^EFI\/(BOOT|systemd)\//;

async function weInstall({ install }: LzbtMachine, ...more: readonly string[]): Promise<void> {
  const { status, error } = await install(0, ...more);
  assert.equal(status, 0, error?.message);
}

/** The files that match and that were not written since the ESP was aged. */
function untouched(machine: Machine, pattern: RegExp): string[] {
  return machine.paths(pattern).filter((path) => statSync(join(machine.esp, path)).mtimeMs < 2000);
}

/** What an image is called without what identifies it. */
function withoutId(path: string): string {
  return path.replace(/-[a-z2-7]{52}(?=[+.])/, '');
}

function byName(machine: Machine): Map<string, string> {
  return new Map(machine.paths(IMAGES).map((path) => [withoutId(path), join(machine.esp, path)]));
}

describe('the same machine', { skip }, () => {
  /** Installs a machine by both, onto ESPs of their own. */
  async function installBoth(t: TestContext) {
    const [theirs, ours] = [aMachineForBoth(t, GENERATIONS), aMachineForBoth(t, GENERATIONS)];
    peerInstalls({ ...theirs, links: ours.links });
    await weInstall(ours);
    return { theirs: theirs.machine, ours: ours.machine };
  }

  test('gets the same kernels and initrds under the same names', async (t) => {
    const { theirs, ours } = await installBoth(t);
    const payloads = (machine: Machine) =>
      Object.entries(machine.tree()).filter(([path]) => PAYLOADS.test(path));
    assert.deepEqual(payloads(ours), payloads(theirs));
    assert.equal(payloads(ours).length, 5);
  });

  test('gets the same files, and entries.srel', async (t) => {
    const { theirs, ours } = await installBoth(t);
    const names = (machine: Machine) => machine.paths(/./).map(withoutId).sort();
    assert.deepEqual(names(ours), [...names(theirs), 'loader/entries.srel'].sort());
  });

  test('gets images of the same sections in the same order, and a signer', async (t) => {
    const { theirs, ours } = await installBoth(t);
    const images = byName(ours);
    for (const [name, path] of byName(theirs)) {
      const [mine, other] = [images.get(name) ?? '', path].map(sectionContents);
      assert.ok(mine && other);
      const last = [...mine.keys()].at(-1);
      assert.equal(last, '.signer');
      mine.delete('.signer');
      assert.deepEqual([...mine.keys()], [...other.keys()]);
      for (const [section, bytes] of other) {
        // Only here a value stands in quotes where it has blanks.
        const read = (raw?: Buffer) => (section === '.osrel' ? parseOsRelease(`${raw}`) : raw);
        assert.deepEqual(read(mine.get(section)), read(bytes), `${name} ${section}`);
      }
    }
  });

  test('gets loader settings that say the same', async (t) => {
    const { theirs, ours } = await installBoth(t);
    const settings = (machine: Machine) =>
      machine
        .read('loader/loader.conf')
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('#'));
    assert.deepEqual(settings(ours), settings(theirs));
  });
});

test('what the other tests take for lanzaboote’s names are its names', { skip }, (t) => {
  const lzbt = aMachineForBoth(t, [{}, { version: '6.1.2' }]);
  peerInstalls(lzbt);
  const expected = [1, 2].flatMap((number) => Object.values(lanzabooteFiles(lzbt.machine, number)));
  assert.deepEqual(lzbt.machine.paths(/^EFI\/(Linux|nixos)\//), expected.sort());
});

describe('from lanzaboote', { skip }, () => {
  test('images are replaced, and nothing else is written but loader.conf', async (t) => {
    const lzbt = aMachineForBoth(t, GENERATIONS);
    const { machine } = lzbt;
    peerInstalls(lzbt);
    const before = machine.tree();
    age(machine);
    await weInstall(lzbt);
    for (const pattern of [PAYLOADS, LOADERS]) {
      assert.deepEqual(
        untouched(machine, pattern),
        Object.keys(before).filter((path) => pattern.test(path)),
      );
    }
    assert.equal(machine.paths(IMAGES).length, 5);
    assert.deepEqual(
      machine.paths(IMAGES).filter((path) => path in before),
      [],
    );
  });

  test('counted images are replaced by counted ones', async (t) => {
    const lzbt = aMachineForBoth(t, [{}]);
    const counted = ['--bootcounting-initial-tries', '3'];
    peerInstalls(lzbt, ...counted);
    const [theirs = ''] = lzbt.machine.paths(IMAGES);
    await weInstall(lzbt, ...counted);
    const [ours = '', ...more] = lzbt.machine.paths(IMAGES);
    assert.deepEqual(more, []);
    assert.notEqual(ours, theirs);
    assert.deepEqual([ours, theirs].map(withoutId), [
      'EFI/Linux/nixos-generation-1+3.efi',
      'EFI/Linux/nixos-generation-1+3.efi',
    ]);
  });

  test('an image stays while its generation cannot be read, and sorts with ours', async (t) => {
    const lzbt = aMachineForBoth(t, [{}, {}]);
    const { machine } = lzbt;
    peerInstalls(lzbt);
    const [kept = ''] = machine.paths(/generation-1-/);
    writeFileSync(join(machine.toplevel(1), 'boot.json'), '{');
    await weInstall(lzbt);
    assert.deepEqual(machine.paths(/generation-1-/), [kept]);
    const sortKeys = [...byName(machine).values()].map((path) => {
      const fields = parseOsRelease(sectionContents(path).get('.osrel')?.toString() ?? '');
      return new Map(fields).get('ID');
    });
    assert.deepEqual(sortKeys, ['lanzaboote', 'lanzaboote']);
  });
});

describe('to lanzaboote', { skip }, () => {
  test('images are replaced, and nothing else is written but loader.conf', async (t) => {
    const lzbt = aMachineForBoth(t, GENERATIONS);
    const { machine } = lzbt;
    await weInstall(lzbt);
    const before = machine.tree();
    age(machine);
    peerInstalls(lzbt);
    const kept = [...machine.paths(PAYLOADS), ...machine.paths(LOADERS)];
    for (const path of kept) assert.ok(path in before, path);
    assert.deepEqual([...untouched(machine, PAYLOADS), ...untouched(machine, LOADERS)], kept);
    assert.equal(machine.paths(IMAGES).length, 5);
    assert.deepEqual(
      machine.paths(IMAGES).filter((path) => path in before),
      [],
    );
  });

  test('and back again, the ESP is what it was', async (t) => {
    const lzbt = aMachineForBoth(t, GENERATIONS);
    await weInstall(lzbt);
    const before = lzbt.machine.tree();
    peerInstalls(lzbt);
    assert.notDeepEqual(lzbt.machine.tree(), before);
    await weInstall(lzbt);
    assert.deepEqual(lzbt.machine.tree(), before);
  });
});

describe('records for systemd-pcrlock', {
  skip: skip || (!hasMeasuring() && 'SKIPPED, missing parts: node test/lab/fetch.ts'),
}, () => {
  /** What systemd-pcrlock finds in a directory: the records by their names. */
  function records(directory: string): Record<string, unknown> {
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    return Object.fromEntries(
      names
        .filter((name) => name.endsWith('.pcrlock'))
        .map((name) => [name, JSON.parse(readFileSync(join(directory, name), 'utf8'))]),
    );
  }

  /** What a program on the ESP measures as. */
  function measured(machine: Machine, pattern: RegExp): unknown {
    const path = join(machine.esp, machine.paths(pattern)[0] ?? '');
    return JSON.parse(formatPcrlock(lockPe(bytesSource(readFileSync(path)), createHash)));
  }

  test('have the same names, and none is lost by a move', async (t) => {
    const lzbt = aMachineForBoth(t, [{ specialisations: { rescue: {} } }]);
    placePcrlock(lzbt);
    const directory = join(lzbt.machine.root, 'pcrlock.d');
    const option = ['--pcrlock-directory', directory];
    for (let move = 0; move < 4; move++) {
      if (move % 2 === 0) peerInstalls(lzbt, ...option);
      else await weInstall(lzbt, ...option);
      assert.deepEqual(records(directory), {
        '630-bootloader.pcrlock.d/current.pcrlock': measured(lzbt.machine, /systemd-bootx64/),
        '635-lanzaboote.pcrlock.d/1.pcrlock': measured(lzbt.machine, /generation-1-[a-z2-7]{52}/),
        '635-lanzaboote.pcrlock.d/1-rescue.pcrlock': measured(lzbt.machine, /-rescue-/),
      });
    }
  });
});
