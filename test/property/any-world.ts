/** Any machine: chance's choice of generations, limits, space, damage and what others left on the ESP. */
import fc from 'fast-check';
import type { Breakage, Tree, World, WorldGeneration } from './a-world.ts';
import { aLoader, POOL } from './a-world.ts';

const KIB = 1024;
const FORMATS = ['uki', 'shared', 'shared', 'type1', 'thin'] as const;

const anyBreakage = fc.constantFrom<(Breakage | undefined)[]>(
  ...Array<undefined>(9).fill(undefined),
  'no-kernel',
  'no-document',
  'not-a-program',
);

const anyGeneration = (number: number): fc.Arbitrary<WorldGeneration> =>
  fc.record({
    number: fc.constant(number),
    kernel: fc.nat({ max: POOL.kernels - 1 }),
    initrd: fc.nat({ max: POOL.initrds - 1 }),
    specialisations: fc.constantFrom(0, 0, 0, 1, 2),
    broken: anyBreakage,
  });

/** What stays the same in the life of a machine. Sizes in bytes. */
interface Ground {
  readonly capacity: number;
  readonly clusterSize: number;
}

/** Small ESPs, on which hardly anything fits beside anything, and large ones. */
const anyGround: fc.Arbitrary<Ground> = fc
  .tuple(fc.constantFrom(512, 2048, 4096), fc.integer({ min: 24, max: 200 }), fc.boolean())
  .map(([clusterSize, kib, roomy]) => ({
    clusterSize,
    capacity: Math.ceil(((roomy ? 2000 : kib) * KIB) / clusterSize) * clusterSize,
  }));

/** A machine at one moment, and what happened to its ESP just before. */
export interface Moment {
  readonly world: Omit<World, 'selected'>;
  /** Which of the entries that boot was selected, counted around. */
  readonly selected: number | undefined;
  /** Which of our files was cut to half its length, counted around. */
  readonly damaged: number | undefined;
  /** Which of the entries that boot was tried or blessed, counted around, and its counter since. */
  readonly tried: { readonly index: number; readonly counter: string } | undefined;
}

/** One moment: which of the generations exist, and what is wanted. */
const anyMoment = (generations: readonly WorldGeneration[], ground: Ground): fc.Arbitrary<Moment> =>
  fc
    .subarray([...generations], { minLength: 1 })
    .chain((present) => {
      const number = fc.constantFrom(...present.map((generation) => generation.number));
      return fc.record({
        generations: fc.constant(present),
        current: number,
        booted: fc.option(number, { nil: undefined }),
        target: fc.option(number, { nil: undefined, freq: 3 }),
        format: fc.constantFrom(...FORMATS),
        limit: fc.constantFrom(0, 0, 1, 2, 3),
        tries: fc.constantFrom(0, 3),
        reserve: fc.constantFrom(0, 0, 0, 4 * KIB, 20 * KIB),
        loader: fc.constantFrom(256, 257, 257, 260),
      });
    })
    .chain((moment) =>
      fc.record({
        world: fc.constant({ ...ground, ...moment }),
        selected: fc.option(fc.nat({ max: 5 }), { nil: undefined, freq: 2 }),
        damaged: fc.option(fc.nat({ max: 9 }), { nil: undefined, freq: 2 }),
        tried: fc.option(
          fc.record({
            index: fc.nat({ max: 5 }),
            counter: fc.constantFrom('', '+2-1', '+0-3'),
          }),
          { nil: undefined, freq: 2 },
        ),
      }),
    );

/** Files of others, some of them with names that nearly are ours. */
const FOREIGN: Tree = new Map(
  Object.entries({
    'EFI/Microsoft/Boot/bootmgfw.efi': 'windows',
    'EFI/Linux/fedora-6.12.efi': 'another distribution',
    'EFI/Linux/nixos-generation-1.efi': 'lacks a digest',
    'EFI/nixos/0c1dn4a-linux-6.12-bzImage.efi': 'of the builder in nixpkgs',
    'loader/entries/nixos-generation-1.conf': 'title NixOS\nlinux /EFI/nixos/0c1dn4a-linux.efi\n',
    'loader/entries/memtest.conf': 'title Memtest\nefi /EFI/memtest.efi\n',
    'loader/random-seed': 'seed',
    '.espalier-1-1.tmp': 'not where we write',
  }).map(([path, text]) => [path, new TextEncoder().encode(text)]),
);

/** What lies on the ESP before the first run. */
export interface Start {
  readonly foreign: boolean;
  readonly loaderConf: string | undefined;
  /** The remains of a run that was killed. */
  readonly temporary: boolean;
  /** Version of the loader; 0 is one that was cut short. */
  readonly loader: number | undefined;
}

const anyStart: fc.Arbitrary<Start> = fc.record({
  foreign: fc.boolean(),
  loaderConf: fc.option(fc.constantFrom('timeout 9\n', `timeout 3\n${'#'.repeat(600)}\n`), {
    nil: undefined,
  }),
  temporary: fc.boolean(),
  loader: fc.option(fc.constantFrom(0, 250, 300), { nil: undefined }),
});

/** Returns the files of a start. */
export function startTree({ foreign, loaderConf, temporary, loader }: Start): Tree {
  const tree = new Map<string, Uint8Array>(foreign ? FOREIGN : []);
  if (loaderConf) tree.set('loader/loader.conf', new TextEncoder().encode(loaderConf));
  if (temporary) tree.set('EFI/Linux/.espalier-99-3.tmp', new Uint8Array(700));
  if (loader !== undefined) {
    const whole = aLoader(loader);
    const bytes = loader === 0 ? whole.subarray(0, 900) : whole;
    tree.set('EFI/systemd/systemd-bootx64.efi', bytes);
  }
  return tree;
}

/** A machine's life: what lay on its ESP, and what was wanted at each run. */
export interface Life {
  readonly start: Start;
  readonly moments: readonly Moment[];
}

/** @param runs how many runs a life has at most */
export const anyLife = (runs: number): fc.Arbitrary<Life> =>
  fc.tuple(anyGround, fc.integer({ min: 1, max: 6 })).chain(([ground, count]) =>
    fc
      .tuple(...Array.from({ length: count }, (_, index) => anyGeneration(index + 1)))
      .chain((generations) =>
        anyStart.chain((start) => {
          const capacity = ground.capacity + footprint(startTree(start), ground.clusterSize);
          const moment = anyMoment(generations, { ...ground, capacity });
          return fc.record({
            start: fc.constant(start),
            moments: fc.array(moment, { minLength: 1, maxLength: runs }),
          });
        }),
      ),
  );

/** What a tree takes on an ESP, with its directories, in bytes. */
function footprint(tree: Tree, clusterSize: number): number {
  const directories = new Set<string>();
  let clusters = 1;
  for (const [path, { length }] of tree) {
    const parts = path.split('/').slice(0, -1);
    for (const index of parts.keys()) directories.add(parts.slice(0, index + 1).join('/'));
    clusters += Math.ceil(length / clusterSize);
  }
  return (clusters + 2 * directories.size) * clusterSize;
}
