/** Whatever one operation on the disk answers, something boots, the exit status is honest and the next run heals. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SCENARIOS } from '../crash/scenario.ts';
import { aRoot } from '../generation/a-generation.ts';
import { isUnhurried } from '../property/bounds.ts';
import { failuresOf, tryFailure } from './port.ts';
import { setStage } from './stage.ts';

/** Of so many failures one is tried; all of them when nobody waits. A prime, so that all kinds are met. */
const STRIDE = isUnhurried ? 1 : 23;

describe('when an operation on the disk fails', () => {
  for (const [index, scenario] of SCENARIOS.entries()) {
    test(`${scenario.name}: ${scenario.about}`, async (t) => {
      const stage = await setStage(scenario, join(aRoot(t), 'world'));
      const failures = await failuresOf(stage);
      const findings: string[] = [];
      for (let at = index; at < failures.length; at += STRIDE) {
        const failure = failures[at];
        if (failure) findings.push(...(await tryFailure(stage, failure)));
      }
      assert.deepEqual(findings, []);
    });
  }
});
