/** What formats take of an ESP: a hundred generations of two kernels in the room of two images. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hash } from '../../src/digest.ts';
import { allocated } from '../../src/esp/space.ts';
import { formatOf } from '../../src/plan/formats.ts';
import { shareImages } from '../../src/plan/sharing.ts';
import { filesOf, type Resolved } from '../../src/plan/wanted.ts';
import { aGeneration } from '../generation/a-generation.ts';
import { anInventory } from './a-plan.ts';

const MIB = 1024 * 1024;
const CLUSTER = 4096;
/** Images get room for larger headers and a signature on top of it. */
const STUB = 76 * 1024;

/** A machine's generations: how many, with which kernel and initrd, and how many specialisations. */
interface Workload {
  readonly about: string;
  readonly count: number;
  readonly kernels: number;
  readonly initrds: number;
  readonly specialisations: number;
  /** In MiB, as measured on a FAT. */
  readonly takes: Readonly<Record<'uki' | 'shared' | 'type1' | 'thin', number>>;
}

const WORKLOADS: readonly Workload[] = [
  {
    about: '100 generations of two kernels',
    ...{ count: 100, kernels: 2, initrds: 2, specialisations: 0 },
    takes: { uki: 4417, type1: 88, thin: 99, shared: 89 },
  },
  {
    about: '20 generations of five kernels',
    ...{ count: 20, kernels: 5, initrds: 5, specialisations: 0 },
    takes: { uki: 883, type1: 220, thin: 222, shared: 221 },
  },
  {
    about: '20 generations of five kernels, each with two specialisations',
    ...{ count: 20, kernels: 5, initrds: 5, specialisations: 2 },
    takes: { uki: 2650, type1: 220, thin: 226, shared: 221 },
  },
  {
    about: '20 generations with an initrd of their own',
    ...{ count: 20, kernels: 4, initrds: 20, specialisations: 0 },
    takes: { uki: 883, type1: 688, thin: 690, shared: 883 },
  },
];

const payload = (name: string, mib: number) => ({
  path: `/s/${name}`,
  size: mib * MIB,
  digest: hash(name),
});

function variantsOf({ count, kernels, initrds, specialisations }: Workload): Resolved[] {
  return Array.from({ length: count }, (_, at) => at + 1).flatMap((number) => {
    const generation = aGeneration({ number });
    const kernel = payload(`kernel-${number % kernels}`, 12);
    const initrd = payload(`initrd-${number % initrds}`, 32);
    const plain = { generation, bootspec: generation.bootspec, kernel, initrd };
    const others = Array.from({ length: specialisations }, (__, each) => ({
      ...plain,
      specialisation: `s${each}`,
    }));
    return [plain, ...others];
  });
}

/** What is allocated for all files, in MiB. */
function mibOf(workload: Workload, format: keyof Workload['takes']): number {
  const record = formatOf(format);
  const settings = {
    stub: '/s/stub',
    stubSize: STUB,
    fingerprint: hash('key'),
    extra: [],
    room: 480,
  };
  const entries = variantsOf(workload).map((variant) =>
    record.stub === undefined
      ? record.want('nixos', variant)
      : record.want('nixos', variant, settings),
  );
  const wanted = { musts: [{ name: 'all', number: 1, entries }], wishes: [] };
  const roots = { broken: new Set<number>(), booted: undefined, selected: undefined };
  const [all] = shareImages(wanted, anInventory(), roots, 'all').musts;
  const files = new Map(
    (all?.entries ?? []).flatMap(filesOf).map((file) => [file.path, file.size]),
  );
  const bytes = [...files.values()].reduce((sum, size) => sum + allocated(size, CLUSTER), 0);
  return bytes / MIB;
}

for (const workload of WORKLOADS) {
  describe(workload.about, () => {
    for (const [format, expected] of Object.entries(workload.takes)) {
      test(`take ${expected} MiB as ${format}`, () => {
        const mib = mibOf(workload, format as keyof Workload['takes']);
        // The figures are rounded to whole MiB.
        assert.ok(Math.abs(mib - expected) <= Math.max(expected / 100, 1), `${mib} MiB`);
      });
    }
  });
}
