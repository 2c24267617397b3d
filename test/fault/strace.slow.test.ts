/** Whatever the kernel answers, or whenever the process is killed: the same, for the program as it ships. */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { bundle } from '../../tools/bundle.ts';
import { FAULTY } from '../crash/scenario.ts';
import { installCommand, isRoot, missingTools } from '../lab/tools.ts';
import { isUnhurried } from '../property/bounds.ts';
import { aPathInMemory } from './in-memory.ts';
import { examineCalls } from './strace.ts';

/** A prime, so that all kinds of faults are met. */
const stride = isUnhurried ? 1 : 151;

const missing = missingTools(['strace']);
const skip =
  (missing.length > 0 && `install it: ${installCommand(missing)}`) ||
  (!isRoot() && 'needs root for a process namespace of its own');

/** Half of them, unless there is time: the port's faults meet every one, and so does the crash lab. */
const CHOSEN = FAULTY.filter((_, index) => isUnhurried || index % 2 === 0);

/** Makes the program that all of them run, and returns its path. */
const programOf = (t: TestContext) => bundle(aPathInMemory(t, 'espalier.mjs'));

describe('when a system call fails or is the last one', { skip }, () => {
  for (const [index, scenario] of CHOSEN.entries()) {
    test(`${scenario.name}: ${scenario.about}`, async (t) => {
      const world = aPathInMemory(t);
      const sample = { stride, offset: 7 * index };
      const { faults, findings } = await examineCalls(scenario, world, await programOf(t), sample);
      assert.ok(faults > 0);
      assert.deepEqual(findings, []);
    });
  }
});
