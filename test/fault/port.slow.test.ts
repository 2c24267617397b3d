/** Whatever one operation on the disk answers, something boots, the exit status is honest and the next run heals. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FAULTY } from '../crash/scenario.ts';
import { isUnhurried } from '../property/bounds.ts';
import { aPathInMemory } from './in-memory.ts';
import { examineOperations } from './port.ts';

/** A prime, so that all kinds of faults are met. */
const stride = isUnhurried ? 1 : 31;

describe('when an operation on the disk fails', () => {
  for (const [offset, scenario] of FAULTY.entries()) {
    test(`${scenario.name}: ${scenario.about}`, async (t) => {
      const world = aPathInMemory(t);
      const { faults, findings } = await examineOperations(scenario, world, { stride, offset });
      assert.ok(faults > 0);
      assert.deepEqual(findings, []);
    });
  }
});
