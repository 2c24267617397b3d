/** Directories are made large only with space that nobody needs: neither this run nor the reserve. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Plan, SpaceForecast } from '../../src/plan/step.ts';
import { apply } from '../../src/transaction/apply.ts';
import { MOST_RESERVED } from '../../src/transaction/directory-slots.ts';
import { aPlan, aSite, text, write } from './a-site.ts';

const PLAN = aPlan(['put', write('EFI/nixos/kernel', text('k'))]);

const AMPLE = 4 * MOST_RESERVED;
const space = (difference: Partial<SpaceForecast>): SpaceForecast => ({
  total: 100 * MOST_RESERVED,
  free: AMPLE,
  reserve: 0,
  peak: 0,
  after: AMPLE,
  ...difference,
});

/** Whether a plan with this space makes its directory large. */
async function reserves(difference: Partial<Plan>): Promise<boolean> {
  const { disk, site } = aSite({ directorySizes: true });
  await apply({ ...PLAN, ...difference }, site);
  return (disk.stat('/boot/EFI/nixos')?.size ?? 0) >= 16 << 10;
}

describe('slots are reserved', () => {
  test('when space is ample', async () => {
    assert.equal(await reserves({ space: space({}) }), true);
  });

  test('when what stays free is the reserve and just enough for them', async () => {
    const reserve = AMPLE - MOST_RESERVED;
    assert.equal(await reserves({ space: space({ reserve }) }), true);
  });

  test('not when they would eat into the reserve by a byte', async () => {
    const reserve = AMPLE - MOST_RESERVED + 1;
    assert.equal(await reserves({ space: space({ reserve }) }), false);
  });

  test('not when the run itself needs the space at its peak', async () => {
    const peak = AMPLE - MOST_RESERVED + 1;
    assert.equal(await reserves({ space: space({ peak }) }), false);
    assert.equal(await reserves({ space: space({ peak: peak - 1 }) }), true);
  });

  test('not when the other partition has no space to spare', async () => {
    const espSpace = space({ reserve: AMPLE });
    assert.equal(await reserves({ space: space({}), espSpace }), false);
    assert.equal(await reserves({ space: space({}), espSpace: space({}) }), true);
  });

  test('for every directory that is written to, or for none', async () => {
    const two = aPlan(
      ['put', write('EFI/nixos/kernel', text('k'))],
      ['publish', write('loader/entries/a.conf', text('a'))],
    );
    const reserve = AMPLE - 2 * MOST_RESERVED;
    assert.equal(await reserves({ ...two, space: space({ reserve }) }), true);
    assert.equal(await reserves({ ...two, space: space({ reserve: reserve + 1 }) }), false);
  });
});
