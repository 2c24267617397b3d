import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Outcome, startLoop } from '../../src/watch/reconcile.ts';
import { aClock, settle } from './a-clock.ts';

const TIMING = { debounce: 10, rescan: 1000, retry: { first: 100, longest: 800 } };

/** A loop whose passes a test ends, one by one. */
function aLoop({ timing = TIMING, chance = 0.5 } = {}) {
  const clock = aClock(chance);
  const begun: number[] = [];
  const running: { resolve(outcome: Outcome): void; reject(error: unknown): void }[] = [];
  const loop = startLoop(
    () => {
      begun.push(clock.now);
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      running.push({ resolve, reject });
      assert.equal(running.length, 1, 'never two passes at a time');
      return promise;
    },
    timing,
    clock,
  );
  const finish = async (outcome: Outcome): Promise<void> => {
    running.pop()?.resolve(outcome);
    await settle();
  };
  return { clock, loop, begun, running, finish };
}

describe('the loop', () => {
  test('a pass is made at the start', async () => {
    const { clock, begun } = aLoop();
    await clock.pass(0);
    assert.deepEqual(begun, [0]);
  });

  test('pokes within the debounce get one pass, which does not wait for the last of them', async () => {
    const { clock, loop, begun, finish } = aLoop();
    await clock.pass(0);
    await finish('settled');
    for (let poke = 0; poke < 5; poke++) {
      loop.poke();
      await clock.pass(2);
    }
    assert.deepEqual(begun, [0, 10]);
  });

  test('pokes during a pass get one more pass after it', async () => {
    const { clock, loop, begun, finish } = aLoop();
    await clock.pass(0);
    for (let poke = 0; poke < 1000; poke++) loop.poke();
    await clock.pass(500);
    assert.deepEqual(begun, [0], 'the first still runs');
    await finish('settled');
    await clock.pass(10);
    await finish('settled');
    await clock.pass(900);
    assert.deepEqual(begun, [0, 510]);
  });

  test('a poke that a pass begins with is answered by it', async () => {
    const { clock, loop, begun, finish } = aLoop();
    loop.poke();
    await clock.pass(10);
    await finish('settled');
    await clock.pass(999);
    assert.deepEqual(begun, [10]);
  });

  test('a settled world is looked at again after the rescan, and at no other time', async () => {
    const { clock, begun, finish } = aLoop();
    await clock.pass(0);
    for (let rescan = 0; rescan < 3; rescan++) {
      await finish('settled');
      assert.deepEqual(clock.waits, [1000], 'one timer');
      await clock.pass(1000);
    }
    assert.deepEqual(begun, [0, 1000, 2000, 3000]);
  });

  test('without a rescan a settled loop has no timer at all', async () => {
    const { clock, finish } = aLoop({ timing: { ...TIMING, rescan: 0 } });
    await clock.pass(0);
    await finish('settled');
    assert.deepEqual(clock.waits, []);
  });

  test('a failure is tried again twice as late each time, up to the longest', async () => {
    for (const [chance, share] of [
      [0, 0.5],
      [0.5, 0.75],
    ] as const) {
      const { clock, finish } = aLoop({ chance });
      const waits: number[] = [];
      await clock.pass(0);
      for (let failure = 0; failure < 6; failure++) {
        await finish('unsettled');
        const [wait = 0] = clock.waits;
        waits.push(wait);
        await clock.pass(wait);
      }
      assert.deepEqual(
        waits,
        [100, 200, 400, 800, 800, 800].map((full) => full * share),
      );
    }
  });

  test('a success makes the next failure the first', async () => {
    const { clock, finish } = aLoop();
    await clock.pass(0);
    await finish('unsettled');
    await clock.pass(75);
    await finish('unsettled');
    await clock.pass(150);
    await finish('settled');
    await clock.pass(1000);
    await finish('unsettled');
    assert.deepEqual(clock.waits, [75]);
  });

  test('a poke does not wait for the next try', async () => {
    const { clock, loop, begun, finish } = aLoop();
    await clock.pass(0);
    await finish('unsettled');
    loop.poke();
    await clock.pass(10);
    assert.deepEqual(begun, [0, 10]);
  });

  test('stop waits for the pass that runs and lets no other begin', async () => {
    const { clock, loop, begun, finish } = aLoop();
    await clock.pass(0);
    loop.poke();
    let stopped = false;
    const stopping = loop.stop().then(() => {
      stopped = true;
    });
    await settle();
    assert.equal(stopped, false);
    await finish('settled');
    await stopping;
    loop.poke();
    await clock.pass(10_000);
    assert.deepEqual(begun, [0]);
    assert.deepEqual(clock.waits, []);
  });

  test('what a pass throws ends the loop and is handed on', async () => {
    const { clock, loop, running } = aLoop();
    await clock.pass(0);
    running.pop()?.reject(new TypeError('a bug'));
    await assert.rejects(loop.ended, TypeError);
    assert.deepEqual(clock.waits, []);
  });

  test('every poke is answered by a pass that begins after it, however things go', async () => {
    const action = fc.oneof(
      fc.constant({ kind: 'poke' } as const),
      fc.record({ kind: fc.constant('wait' as const), duration: fc.nat({ max: 300 }) }),
      fc.record({
        kind: fc.constant('finish' as const),
        outcome: fc.constantFrom('settled' as const, 'unsettled' as const),
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
        const { clock, loop, begun, running, finish } = aLoop();
        let poked: { at: number; seen: number } | undefined;
        for (const step of actions) {
          if (step.kind === 'poke') {
            loop.poke();
            poked = { at: clock.now, seen: begun.length };
          } else if (step.kind === 'wait') await clock.pass(step.duration);
          else await finish(step.outcome);
          assert.ok(clock.waits.length + running.length === 1, 'it waits or it runs');
        }
        await finish('settled');
        await clock.pass(TIMING.debounce);
        if (poked) assert.ok(begun.length > poked.seen, `poked at ${poked.at}`);
        await finish('settled');
        await loop.stop();
        assert.deepEqual(clock.waits, []);
      }),
      { numRuns: 200 },
    );
  });
});
