/** Plans where ESP and XBOOTLDR are apart: whose space is counted for what, and what goes from the other place. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { espPath } from '../../src/esp/layout.ts';
import { planRemoval, type Remains, withCounters } from '../../src/plan/remains.ts';
import { anInventory, aWanted, CLUSTER, type InventoryShape, planned, refused } from './a-plan.ts';

const [one, two] = [aWanted({ number: 1 }), aWanted({ number: 2 })];

/** Space of an ESP, with so many clusters free. */
const esp = (clusters: number) => ({
  clusterSize: CLUSTER,
  total: 100 * CLUSTER,
  free: clusters * CLUSTER,
});

const loader = {
  path: espPath('EFI', 'systemd', 'systemd-bootx64.efi'),
  size: 10 * CLUSTER,
  replaces: 0,
  content: { kind: 'file', path: '/nix/store/loader' },
  because: 'it is not there',
} as const;

describe('space', () => {
  test('entries and what they name need none on the ESP', () => {
    const inventory = anInventory({ espSpace: esp(0) });
    const { espSpace, space } = planned({ inventory, musts: [one] });
    assert.deepEqual([espSpace?.peak, espSpace?.after], [0, 0]);
    assert.ok(space.peak > 0);
  });

  test('the loader needs none on XBOOTLDR', () => {
    const room = { has: [one], free: 0, espSpace: esp(20) };
    const { espSpace, space } = planned({
      inventory: anInventory(room),
      musts: [one],
      loaders: [loader],
    });
    assert.equal(space.peak, 0);
    assert.ok(espSpace && espSpace.peak >= loader.size && espSpace.after < espSpace.free);
  });

  test('an ESP without room for the loader is refused, and says that it is the ESP', () => {
    const inventory = anInventory({ espSpace: esp(5) });
    const { message, hint } = refused({ inventory, musts: [one], loaders: [loader] });
    assert.match(
      message,
      /the boot loader and loader\/loader\.conf need \d+ bytes( \(.*\))? on the ESP itself/,
    );
    assert.match(hint, /lower --reserve/);
  });

  test('the reserve is kept on the ESP as well', () => {
    const inventory = anInventory({ espSpace: esp(20) });
    const given = { inventory, musts: [one], loaders: [loader] };
    planned({ ...given, reserve: 5 * CLUSTER });
    refused({ ...given, reserve: 12 * CLUSTER });
    planned({ inventory, musts: [one], reserve: 40 * CLUSTER });
  });

  test('an unfinished loader that will be swept makes room on the ESP', () => {
    const path = espPath('EFI', 'systemd', '.espalier-1-1.tmp');
    const temporaries = [{ path, size: 10 * CLUSTER }];
    const given = { musts: [one], loaders: [loader] };
    const swept = anInventory({ espSpace: esp(5), temporaries });
    assert.equal(planned({ ...given, inventory: swept }).espSpace?.free, 15 * CLUSTER);
  });

  test('an XBOOTLDR partition that is full is refused, however much the ESP has', () => {
    const inventory = anInventory({ free: 0, espSpace: esp(90) });
    assert.match(refused({ inventory, musts: [one] }).message, /generation 1 needs/);
  });
});

/** What is left of a machine whose generation 2 boots from the other partition. */
function left(shape: InventoryShape, difference: Partial<Remains> = {}): string[] {
  const plan = planned({ inventory: anInventory({ has: [two] }), musts: [two] });
  const phases = planRemoval({
    inventory: anInventory(shape),
    plan,
    default: plan.default,
    generations: [one, two],
    roots: { broken: new Set(), booted: undefined, selected: undefined },
    scope: 'all',
    ...difference,
  });
  return phases.map(({ name, steps }) => `${name}: ${steps.map(({ path }) => path).join(' ')}`);
}

const nameOf = (number: number) => `loader/entries/generation-${number}.conf`;

describe('what is left on a partition that had the entries', () => {
  test('goes: entries first, then what they named', () => {
    const [entries, blobs, ...more] = left({ has: [one, two] });
    assert.equal(entries, `remove-entries: ${nameOf(1)} ${nameOf(2)}`);
    assert.match(blobs ?? '', /^remove-blobs: .*kernel-a.* .*initrd-2/);
    assert.deepEqual(more, []);
  });

  test('stays when what boots next is not on the other partition', () => {
    assert.deepEqual(left({ has: [one, two] }, { default: 'generation-9.conf' }), []);
  });

  test('stays in a repair', () => {
    assert.deepEqual(left({ has: [one, two] }, { scope: 'repair' }), []);
  });

  test('stays in a collection as long as the other partition lacks it', () => {
    const [entries, blobs] = left({ has: [one, two] }, { scope: 'gc' });
    assert.equal(entries, `remove-entries: ${nameOf(2)}`);
    assert.match(blobs ?? '', /^remove-blobs: \S*initrd-2.efi$/);
  });

  test('stays when it is protected and nowhere else, with what it names', () => {
    const roots = { broken: new Set([1]), booted: undefined, selected: 'generation-2.conf' };
    const [entries, blobs] = left({ has: [one, two] }, { roots });
    assert.equal(entries, `remove-entries: ${nameOf(2)}`);
    assert.match(blobs ?? '', /^remove-blobs: \S*initrd-2.efi$/);
  });

  test('stays when it shares its clusters with a temporary file', () => {
    const path = espPath('loader', 'entries', '.espalier-1-1.tmp');
    const twin = espPath('loader', 'entries', 'generation-2.conf');
    const temporaries = [{ path, size: 10, twin }];
    const [entries] = left({ has: [one, two], temporaries });
    assert.equal(entries, `remove-entries: ${nameOf(1)}`);
  });

  test('is swept of what a killed run left', () => {
    const path = espPath('EFI', 'nixos', '.espalier-1-1.tmp');
    assert.deepEqual(left({ temporaries: [{ path, size: 10 }] }), [`sweep: ${path}`]);
  });
});

test('an entry takes over the name of its old place, counter and all, and no other', () => {
  const [entry] = anInventory({ has: [two] }).entries;
  assert.ok(entry);
  const tried = { ...entry, path: espPath('loader', 'entries', 'generation-2+1-2.conf') };
  const paths = withCounters([one, two], [tried]).map(({ entries }) => entries[0]?.file.path);
  assert.deepEqual(paths, [nameOf(1), tried.path]);
});
