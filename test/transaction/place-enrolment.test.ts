import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EspError } from '../../src/error.ts';
import { espPath } from '../../src/esp/layout.ts';
import { KEY_NAMES, type KeyVariable } from '../../src/secureboot/key-variable.ts';
import { placeEnrolment } from '../../src/transaction/place-enrolment.ts';
import { MemoryDisk, PowerLoss } from '../support/memory-disk.ts';

const SET = espPath('loader', 'keys', 'auto');
const KEPT = 'EFI/Linux/kept.efi';

type Writes = Readonly<Record<KeyVariable, Uint8Array>>;

/** Writes of one making: each says which. Larger than a cluster, so that they can be cut short. */
function aSet(making: string): Writes {
  const write = (name: string) => new TextEncoder().encode(`${making} ${name} `.repeat(150));
  return { PK: write('PK'), KEK: write('KEK'), db: write('db') };
}

const [OLD, NEW] = [aSet('old'), aSet('new')];

function anEsp(set?: Writes): MemoryDisk {
  const files = KEY_NAMES.flatMap((name) =>
    set ? [[`/boot/${SET}/${name}.auth`, set[name]] as const] : [],
  );
  return new MemoryDisk({
    files: { ...Object.fromEntries(files), [`/boot/${KEPT}`]: 'it boots' },
  });
}

const place = (disk: MemoryDisk, processId = 1): Promise<void> =>
  placeEnrolment(SET, NEW, { disk, root: '/boot', processId });

const read = (disk: MemoryDisk, name: KeyVariable): Uint8Array | undefined =>
  disk.tree().get(`/boot/${SET}/${name}.auth`);

const isSet = (disk: MemoryDisk, set: Writes): boolean =>
  KEY_NAMES.every((name) => Buffer.compare(read(disk, name) ?? Buffer.of(), set[name]) === 0);

test('a set is written whole, and nothing else is left', async () => {
  for (const before of [undefined, OLD, NEW]) {
    const disk = anEsp(before);
    await place(disk);
    assert.ok(isSet(disk, NEW));
    assert.deepEqual(
      [...disk.tree().keys()],
      [KEPT, ...['KEK', 'PK', 'db'].map((name) => `${SET}/${name}.auth`)].map(
        (path) => `/boot/${path}`,
      ),
    );
  }
});

/** Places the new set over one, with the power failing at one moment, and returns what the platter holds. */
async function crashed(before: Writes | undefined, failAt: number, seed: number) {
  const disk = anEsp(before);
  disk.failPowerAt(failAt);
  await assert.rejects(place(disk), (error) => error instanceof PowerLoss);
  disk.crash(seed);
  return disk;
}

/** Nothing is enrolled without PK, and firmware takes none that is empty. */
function isSafe(disk: MemoryDisk, before: Writes | undefined): boolean {
  const isOne = isSet(disk, NEW) || (before !== undefined && isSet(disk, before));
  return isOne || (read(disk, 'PK')?.length ?? 0) === 0;
}

/** Tells whether another run completes the set; what it does not, it leaves to fsck.fat. */
async function isMended(disk: MemoryDisk): Promise<boolean> {
  try {
    await place(disk, 2);
    return isSet(disk, NEW);
  } catch (error) {
    assert.ok(error instanceof EspError && /fsck\.fat/.test(error.hint ?? ''), String(error));
    return false;
  }
}

test('wherever power fails, keys of two makings are never enrolled together, and a later run mends it', async () => {
  const mended: boolean[] = [];
  for (const before of [undefined, OLD]) {
    const whole = anEsp(before);
    await place(whole);
    for (let failAt = 0; failAt < whole.operations; failAt++) {
      for (let seed = 0; seed < 12; seed++) {
        const disk = await crashed(before, failAt, seed);
        assert.ok(isSafe(disk, before), `operation ${failAt}, seed ${seed}`);
        assert.equal(Buffer.from(disk.read(`/boot/${KEPT}`, 99)).toString(), 'it boots');
        mended.push(await isMended(disk));
      }
    }
  }
  const count = mended.filter(Boolean).length;
  assert.ok(count > 0.9 * mended.length, `${count} of ${mended.length} without fsck.fat`);
});

test('an ESP without room keeps the set that it has', async () => {
  const disk = new MemoryDisk({
    capacity: 16 * 512,
    files: Object.fromEntries(KEY_NAMES.map((name) => [`/boot/${SET}/${name}.auth`, OLD[name]])),
  });
  await assert.rejects(place(disk), EspError);
  assert.ok(isSet(disk, OLD));
  assert.equal(disk.tree().size, 3);
});
