/**
 * Builds of the program in which one thing that makes it safe is undone. Only the lab has them: what is
 * shipped has no switch for it. A lab that finds nothing in them would find nothing anywhere.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import { bundle } from '../../tools/bundle.ts';
import type { Clause } from './judge.ts';

/** One text of a source file that another takes the place of. */
interface Swap {
  /** Below `src`. */
  readonly file: string;
  readonly text: string;
  readonly by: string;
}

/** What is undone, the scenario in which it shows, and the promise that then is broken. */
export interface Inversion {
  readonly name: string;
  readonly scenario: string;
  readonly breaks: Clause;
  readonly what: RegExp;
  readonly swaps: readonly Swap[];
}

const IN_ORDER = 'for (const phase of plan.phases) {';
const inOtherOrder = (phases: string): Swap => ({
  file: 'transaction/apply.ts',
  text: IN_ORDER,
  by: `for (const phase of ${phases}) {`,
});
const unsyncedNames: Swap = {
  file: 'disk/node-writing.ts',
  text: 'withFile(path, fs.constants.O_RDONLY, sync)',
  by: 'Promise.resolve()',
};

export const INVERSIONS: readonly Inversion[] = [
  {
    name: 'old entries are removed before the new ones are published',
    scenario: 'limit-reached',
    breaks: 'entry',
    what: /no entry is whole/,
    swaps: [
      inOtherOrder(
        `plan.phases.toSorted((a, b) => Number(b.name.startsWith('remove-')) - Number(a.name.startsWith('remove-')))`,
      ),
    ],
  },
  {
    name: 'a new name is made durable without what it leads to',
    scenario: 'limit-reached',
    breaks: 'entry',
    what: /no entry is whole/,
    swaps: [unsyncedNames],
  },
  {
    name: 'both copies of the boot loader are in flight at once',
    scenario: 'loader-upgrade',
    breaks: 'loader',
    what: /no copy of the boot loader is whole/,
    swaps: [
      unsyncedNames,
      inOtherOrder(
        `[{ name: 'loader', steps: plan.phases.filter(({ name }) => name === 'loader').flatMap(({ steps }) => steps) }]`,
      ),
    ],
  },
];

const sources = resolve(import.meta.dirname, '../../src');

/** Builds the program with something undone and returns the path of the build. */
export async function bundleInverted({ swaps }: Inversion, outfile: string): Promise<string> {
  const swapped = new Set<Swap>();
  const plugin: Plugin = {
    name: 'inversion',
    setup({ onLoad }) {
      onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
        const here = swaps.filter(({ file }) => path === resolve(sources, file));
        if (here.length === 0) return undefined;
        const contents = here.reduce(
          (text, swap) => {
            assert.equal(text.split(swap.text).length, 2, `${swap.file} has once: ${swap.text}`);
            swapped.add(swap);
            return text.replace(swap.text, swap.by);
          },
          readFileSync(path, 'utf8'),
        );
        return { contents, loader: 'ts' };
      });
    },
  };
  await bundle(outfile, plugin);
  assert.equal(swapped.size, swaps.length, 'every swap was made');
  return outfile;
}
