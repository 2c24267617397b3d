import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { espPath } from '../../src/esp/layout.ts';
import { formatKept } from '../../src/loader/loader-conf.ts';
import { anInventory, aWanted, CLUSTER, CONF, outline, planned, refused } from './a-plan.ts';
import { assertGolden } from './golden.ts';

const one = aWanted({ number: 1 });
const two = aWanted({ number: 2 });
const three = aWanted({ number: 3, kernel: ['b', 40_000] });

const KIB = 1024;
const loader = (name: string) => ({
  path: espPath('EFI', name, 'x.efi'),
  size: 100_000,
  replaces: 0,
  content: { kind: 'file', path: '/nix/store/systemd-boot' } as const,
  because: 'there is none',
});

describe('the order', () => {
  test('an empty ESP: blobs, entries, loader by loader, what boots next', () => {
    const plan = planned({
      musts: [two],
      wishes: [one],
      inventory: anInventory({ loaderConf: undefined, layout: undefined }),
      loaders: [loader('systemd'), loader('BOOT')],
    });
    assertGolden('empty-esp', plan);
  });

  test('a generation is replaced: new names first, old names last', () => {
    const plan = planned({
      musts: [three],
      inventory: anInventory({ has: [one, two] }),
      loaderConf: CONF.replace('x', 'y'),
    });
    assert.deepEqual(outline(plan), [
      'put: +kernel-b.efi +initrd-3.efi',
      'publish: +generation-3.conf',
      'default: ~loader.conf',
      'remove-entries: -generation-1.conf -generation-2.conf',
      'remove-blobs: -kernel-a.efi -initrd-1.efi -initrd-2.efi',
    ]);
  });

  test('nothing to do is a plan without phases', () => {
    const plan = planned({
      musts: [two],
      wishes: [one],
      inventory: anInventory({ has: [one, two] }),
    });
    assert.deepEqual(plan.phases, []);
    assert.equal(plan.default, 'generation-2.conf');
    assert.deepEqual(plan.entries, ['generation-1.conf', 'generation-2.conf']);
    assert.equal(plan.space.peak, 0);
    assert.equal(plan.space.after, plan.space.free);
  });

  test('a file that several entries share is written once, and stays while one of them does', () => {
    const shared = aWanted({ number: 2, specialisations: ['gaming', 'rescue'] });
    assert.deepEqual(outline(planned({ musts: [shared] })), [
      'put: +kernel-a.efi +initrd-2.efi',
      'publish: +generation-2.conf +generation-2-gaming.conf +generation-2-rescue.conf',
    ]);
    const plan = planned({ musts: [two], inventory: anInventory({ has: [one, shared] }) });
    assert.deepEqual(outline(plan), [
      'remove-entries: -generation-1.conf -generation-2-gaming.conf -generation-2-rescue.conf',
      'remove-blobs: -initrd-1.efi',
    ]);
  });

  test('remains of killed runs go first, but for those that share clusters with another file', () => {
    const path = (name: string) => espPath('EFI', 'Linux', name);
    const twin = path('generation-3.efi');
    const image = aWanted({ number: 3, format: 'uki' });
    const inventory = anInventory({
      has: [two, image],
      temporaries: [
        { path: path('.espalier-1-1.tmp'), size: 1 },
        { path: path('.espalier-1-2.tmp'), size: 1, twin },
      ],
    });
    assert.deepEqual(outline(planned({ musts: [two], inventory })), ['sweep: -.espalier-1-1.tmp']);
  });
});

describe('what is there', () => {
  test('a counted entry is there, under its counter, and gets no plain twin', () => {
    const [entry] = anInventory({ has: [two] }).entries;
    assert.ok(entry);
    const counted = { ...entry, path: espPath('loader', 'entries', 'generation-2+1-2.conf') };
    const { blobs } = anInventory({ has: [two] });
    const whole = anInventory({ blobs, entries: [counted] });
    assert.deepEqual(outline(planned({ musts: [two], inventory: whole })), []);
    const damaged = anInventory({ blobs, entries: [{ ...counted, damage: 'torn' }] });
    const plan = planned({ musts: [two], inventory: damaged });
    assert.deepEqual(outline(plan), ['publish: +generation-2+1-2.conf']);
    assert.equal(plan.phases[0]?.steps[0]?.because, 'it is damaged: torn');
  });

  test('case does not matter', () => {
    const inventory = anInventory({ has: [two] });
    const shout = (path: string) => espPath(path.toUpperCase());
    const loud = anInventory({
      blobs: inventory.blobs.map((blob) => ({ ...blob, path: shout(blob.path) })),
      entries: inventory.entries.map((entry) => ({
        ...entry,
        path: shout(entry.path),
        references: entry.references.map(shout),
      })),
    });
    assert.deepEqual(planned({ musts: [two], inventory: loud }).phases, []);
  });

  test('a file of the wrong size is damaged, and told with both sizes', () => {
    const { blobs, entries } = anInventory({ has: [two] });
    const torn = blobs.map((blob) => (blob.path.includes('initrd') ? { ...blob, size: 7 } : blob));
    const plan = planned({ musts: [two], inventory: anInventory({ blobs: torn, entries }) });
    assert.deepEqual(outline(plan), ['put: +initrd-2.efi']);
    assert.equal(
      plan.phases[0]?.steps[0]?.because,
      'it is damaged: it has 7 bytes, expected 81920 bytes (80.0 KiB)',
    );
  });

  test('an image may have an older stub, and not another payload', () => {
    const image = aWanted({ number: 2, format: 'uki' });
    const { entries } = anInventory({ has: [image] });
    const withSections = (change: (name: string, size: number) => number) =>
      anInventory({
        entries: entries.map((entry) => ({
          ...entry,
          sections: [
            { name: '.text', size: 99_999 },
            ...(entry.sections ?? []).map(({ name, size }) => ({ name, size: change(name, size) })),
          ],
        })),
      });
    const same = withSections((_, size) => size);
    assert.deepEqual(outline(planned({ musts: [image], inventory: same })), []);
    const other = withSections((name, size) => (name === '.initrd' ? size + 1 : size));
    const plan = planned({ musts: [image], inventory: other });
    assert.deepEqual(outline(plan), ['publish: +generation-2.efi']);
    assert.match(plan.phases[0]?.steps[0]?.because ?? '', /section \.initrd has 81921 bytes/);
  });
});

describe('loader.conf', () => {
  const next = CONF.replace('x', 'y');
  const bytes = (text: string | undefined) =>
    text === undefined ? undefined : new TextEncoder().encode(text);
  const conf = (loaderConf: string | undefined, kept?: string) =>
    planned({
      musts: [two],
      loaderConf: next,
      inventory: {
        ...anInventory({ has: [two], loaderConf: bytes(loaderConf) }),
        keptSettings: bytes(kept),
      },
    }).phases;
  const outlined = (...given: Parameters<typeof conf>) =>
    conf(...given).map(({ steps }) => steps.map(({ kind, path }) => `${kind} ${path}`));

  test('of one sector is overwritten where it lies', () => {
    assert.deepEqual(
      conf(CONF).map(({ name, steps }) => [name, steps[0]?.kind]),
      [['default', 'overwrite']],
    );
  });

  test('that says it already stays', () => {
    assert.deepEqual(conf(next), []);
  });

  test('that is missing is written', () => {
    assert.deepEqual(outlined(undefined), [['write loader/loader.conf']]);
  });

  const [keep, replace, drop] = [
    'write loader/espalier-settings.conf',
    'replace loader/loader.conf',
    'remove loader/espalier-settings.conf',
  ];

  test('of another size is replaced, and what it becomes is beside it until that is durable', () => {
    for (const before of ['timeout 3\n', `${next}\n`, '']) {
      assert.deepEqual(outlined(before), [[keep], [replace], [drop]], JSON.stringify(before));
    }
  });

  test('that is still to be replaced after a cut has the file beside it already', () => {
    assert.deepEqual(outlined('timeo', formatKept(next)), [[replace], [drop]]);
    assert.deepEqual(outlined('timeo', 'cut'), [[keep], [replace], [drop]]);
  });

  test('that has been replaced needs no file beside it', () => {
    assert.deepEqual(outlined(next, formatKept(next)), [[drop]]);
    assert.deepEqual(outlined(undefined, formatKept(next)), [['write loader/loader.conf'], [drop]]);
  });
});

describe('roots', () => {
  const inventory = anInventory({
    has: [one, two, aWanted({ number: 3, specialisations: ['x'] })],
  });
  const left = (roots: { broken?: Set<number>; booted?: string; selected?: string }) =>
    planned({
      musts: [two],
      inventory,
      roots: { broken: new Set(), booted: undefined, selected: undefined, ...roots },
    }).entries;

  test('a number that cannot be read keeps every entry of that number', () => {
    assert.deepEqual(left({ broken: new Set([3]) }), [
      'generation-2.conf',
      'generation-3-x.conf',
      'generation-3.conf',
    ]);
  });

  test('what runs is known by its command line, a specialisation too', () => {
    assert.deepEqual(left({ booted: '/nix/store/system-3-x' }), [
      'generation-2.conf',
      'generation-3-x.conf',
    ]);
    assert.deepEqual(left({ booted: '/nix/store/system-1' }), [
      'generation-1.conf',
      'generation-2.conf',
    ]);
    assert.deepEqual(left({ booted: '/nix/store/system' }), ['generation-2.conf']);
  });

  test('what was selected is known by its ID, in any case', () => {
    assert.deepEqual(left({ selected: 'Generation-1.conf' }), [
      'generation-1.conf',
      'generation-2.conf',
    ]);
    assert.deepEqual(left({ selected: '1.conf' }), ['generation-2.conf']);
  });

  test('a root keeps the files that it names, and so does an entry of another', () => {
    const { name: _, ...foreign } = anInventory({ has: [one] }).entries[0] ?? assert.fail();
    const blobs = anInventory({ has: [one, two] }).blobs;
    const { entries } = anInventory({ has: [two] });
    const plan = planned({
      musts: [two],
      inventory: anInventory({ blobs, entries: [...entries, foreign] }),
    });
    assert.deepEqual(plan.phases, []);
    const rooted = planned({
      musts: [two],
      inventory: anInventory({ has: [one, two] }),
      roots: { broken: new Set([1]), booted: undefined, selected: undefined },
    });
    assert.deepEqual(rooted.phases, []);
  });
});

describe('space', () => {
  // A generation of these is a kernel of 40 KiB that all share, and an initrd of 80 KiB.
  const generations = [5, 4, 3, 2, 1].map((number) => aWanted({ number }));
  const [five, ...older] = generations as [typeof one, ...(typeof one)[]];
  const room = (initrds: number) => (40 + initrds * 80 + 60) * KIB;
  const numbers = (names: readonly string[]) => names.map((name) => Number(/\d+/.exec(name)));

  test('the wishes that fit are taken from the newest on, the others told with the reason', () => {
    const plan = planned({
      musts: [five],
      wishes: older,
      inventory: anInventory({ free: room(3) }),
      leftOut: [{ generation: '0', because: 'the limit is 5' }],
    });
    assert.deepEqual(numbers(plan.entries), [3, 4, 5]);
    assert.deepEqual(plan.leftOut, [
      { generation: '0', because: 'the limit is 5' },
      { generation: '2', because: 'no space on the ESP' },
      { generation: '1', because: 'no space on the ESP' },
    ]);
  });

  test('one that is too large does not keep out an older one that fits', () => {
    const large = aWanted({ number: 4, initrd: ['large', 900 * KIB] });
    const plan = planned({
      musts: [five],
      wishes: [large, one],
      inventory: anInventory({ free: room(2) }),
    });
    assert.deepEqual(numbers(plan.entries), [1, 5]);
  });

  test('the reserve is taken from the wishes, and then from nobody', () => {
    const inventory = anInventory({ free: room(3) });
    const plan = planned({ musts: [five], wishes: older, inventory, reserve: 80 * KIB });
    assert.deepEqual(numbers(plan.entries), [4, 5]);
    assert.ok(plan.space.after >= 80 * KIB);
    refused({ musts: [five], wishes: older, inventory, reserve: room(3) });
  });

  test('musts that do not fit are refused with every number that a person needs', () => {
    const refusal = refused({
      musts: [five],
      inventory: anInventory({ has: [one], free: 10 * KIB, total: 500 * KIB }),
      reserve: 4 * KIB,
    });
    assertGolden('refusal', refusal);
  });

  test('a shortage that is none any more when old files are gone is no refusal', () => {
    const plan = planned({
      musts: [five],
      inventory: anInventory({ has: [one, two, three], free: 80 * KIB }),
    });
    assert.deepEqual(outline(plan), [
      'free-entries: -generation-1.conf',
      'free-blobs: -initrd-1.efi',
      'put: +initrd-5.efi',
      'publish: +generation-5.conf',
      'remove-entries: -generation-2.conf -generation-3.conf',
      'remove-blobs: -initrd-2.efi -kernel-b.efi -initrd-3.efi',
    ]);
  });

  test('where everything fits beside each other, nothing goes early', () => {
    const plan = planned({ musts: [five], inventory: anInventory({ has: [one] }) });
    assert.ok(plan.phases.every(({ name }) => !name.startsWith('free-')));
  });

  test('wishes are given up before the last entry that boots is', () => {
    const alien = aWanted({
      number: 9,
      kernel: ['alien', 200 * KIB],
      initrd: ['alien', 200 * KIB],
    });
    const plan = planned({
      musts: [five],
      wishes: [two],
      inventory: anInventory({ has: [alien], free: 200 * KIB }),
    });
    assert.deepEqual(outline(plan), [
      'put: +kernel-a.efi +initrd-5.efi',
      'publish: +generation-5.conf',
      'remove-entries: -generation-9.conf',
      'remove-blobs: -kernel-alien.efi -initrd-alien.efi',
    ]);
    assert.match(plan.leftOut[0]?.because ?? '', /beside what must stay until it is written/);
  });

  test('the last entry that boots is not given up even for a must', () => {
    const refusal = refused({
      musts: [five],
      inventory: anInventory({
        has: [aWanted({ number: 9, kernel: ['alien', 200 * KIB] })],
        free: 120 * KIB,
      }),
    });
    assert.match(refusal.message, /must fit beside the last entry that boots/);
  });

  test('a wanted entry that is damaged is not the one that boots meanwhile', () => {
    // Generation 5 is there, but its initrd is torn: until it is mended only generation 1 boots.
    const { blobs, entries } = anInventory({ has: [five, one] });
    const torn = blobs.map((blob) =>
      blob.path.endsWith('initrd-5.efi') ? { ...blob, size: 70 * KIB } : blob,
    );
    const result = refused({
      musts: [five],
      inventory: anInventory({ blobs: torn, entries, free: 40 * KIB }),
    });
    assert.match(result.message, /must fit beside the last entry that boots/);
  });

  test('what is wanted counts once, however many entries name it', () => {
    const many = aWanted({ number: 5, specialisations: ['a', 'b', 'c', 'd'] });
    planned({ musts: [many], inventory: anInventory({ free: room(1) }) });
  });

  test('the remains of killed runs count as free', () => {
    const temporary = { path: espPath('EFI', 'nixos', '.espalier-1-1.tmp'), size: 200 * KIB };
    const inventory = anInventory({ free: 8 * KIB, temporaries: [temporary] });
    const plan = planned({ musts: [five], inventory });
    assert.equal(plan.phases[0]?.name, 'sweep');
  });

  test('a loader needs room beside the one it replaces', () => {
    const inventory = anInventory({ has: [five], free: 90 * KIB });
    refused({ musts: [five], inventory, loaders: [loader('systemd')] });
    const plan = planned({
      musts: [five],
      inventory: anInventory({ has: [five], free: 150 * KIB }),
      loaders: [loader('systemd')],
    });
    assert.ok(plan.space.peak >= 100_000);
  });

  test('a loader.conf that is missing needs its cluster, even when nothing else is written', () => {
    const inventory = anInventory({ has: [five], free: 0, loaderConf: undefined });
    refused({ musts: [five], inventory });
    const roomy = anInventory({ has: [five], loaderConf: undefined });
    assert.ok(planned({ musts: [five], inventory: roomy }).space.peak >= CLUSTER);
  });

  test('a full ESP on which all is well is left alone', () => {
    const plan = planned({ musts: [five], inventory: anInventory({ has: [five], free: 0 }) });
    assert.deepEqual(plan.phases, []);
  });

  test('a full ESP can be told to boot another entry', () => {
    const plan = planned({
      musts: [five],
      wishes: older,
      inventory: anInventory({ has: [five, ...older], free: 0 }),
      loaderConf: CONF.replace('x', 'y'),
    });
    assert.deepEqual(outline(plan), ['default: ~loader.conf']);
  });
});
