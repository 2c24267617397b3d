/** Who holds the space of an ESP: each byte once, and what is shared under the names of those who share it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heldVolumes } from '../../src/plan/holders.ts';
import type { EspView } from '../../src/plan/view.ts';

const KIB = 1024;
const entry = (generation: number, ...references: readonly string[]) => ({
  size: 100,
  name: { generation },
  references,
});
const blob = (path: string, size: number) => ({ path, size });

/** A view of what counts here. Clusters have 4 KiB. */
function aView(espSpace?: object): EspView {
  const inventory = {
    clusterSize: 4 * KIB,
    total: 1024 * KIB,
    free: 300 * KIB,
    entries: [entry(3, 'K', 'i3'), entry(2, 'k', 'i2'), { size: 9000, references: ['k'] }],
    blobs: [blob('k', 100 * KIB), blob('i3', 50 * KIB), blob('i2', 49 * KIB + 1), blob('old', 1)],
    ...(espSpace && { espSpace }),
  };
  const loaders = [
    { path: 'EFI/systemd/systemd-bootx64.efi', size: 8 * KIB, installed: { kind: 'systemd-boot' } },
    { path: 'EFI/BOOT/BOOTX64.EFI', size: 8 * KIB, installed: { kind: 'foreign' } },
  ];
  const extras = [
    { path: 'EFI/tool.efi', records: [{}], found: { kind: 'file', size: 5 * KIB } },
    { path: 'EFI/theirs.efi', records: [], found: { kind: 'file', size: 5 * KIB } },
  ];
  const paths = espSpace ? { root: '/efi', xbootldr: '/boot' } : { root: '/boot' };
  return { ...paths, inventory, loaders, extras } as unknown as EspView;
}

const told = (view: EspView) =>
  heldVolumes(view, 64 * KIB).map(({ path, holders }) => [
    path,
    ...holders.map(({ name, size }) => `${name}: ${size / KIB}`),
  ]);

test('generations hold what is theirs alone; what two name is shared, what none names is unused', () => {
  assert.deepEqual(told(aView()), [
    [
      '/boot',
      'Generation 3: 56',
      'Generation 2: 56',
      'Shared by generations 3, 2: 100',
      'No generation any more: 4',
      'EFI/systemd/systemd-bootx64.efi: 8',
      'Files that the settings declare: 8',
      'Others, and the file system itself: 492',
      'Reserve: 64',
      'Free: 236',
    ],
  ]);
});

test('with an XBOOTLDR partition the loaders are on the other volume', () => {
  const view = aView({ clusterSize: 512, total: 100 * KIB, free: 10 * KIB });
  const [entries, esp] = told(view);
  assert.equal(entries?.[0], '/boot');
  assert.ok(!entries?.some((line) => line.startsWith('EFI/')));
  assert.deepEqual(esp?.slice(0, 2), ['/efi', 'EFI/systemd/systemd-bootx64.efi: 8']);
  assert.equal(esp?.at(-1), 'Reserve: 10');
});
