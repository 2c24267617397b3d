/** What crafted programs on an ESP do to a run: nothing but to be reported, replaced or left alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aMachine } from '../command/a-machine.ts';
import { FIXED } from './case.ts';
import { giants, PROGRAMS, programCases } from './corpus-programs.ts';
import { aProgram } from './measured.ts';
import { besiege } from './siege.ts';

const measure = aProgram();

for (const hostile of [...programCases, ...giants]) {
  test(hostile.name, (t) => besiege(t, hostile, measure));
}

test('a crafted boot loader is replaced or left alone, whichever of the two it is', async (t) => {
  const machine = aMachine(t);
  const places = FIXED.slice(0, 2);
  await machine.run('install');
  for (const [name, make] of Object.entries(PROGRAMS)) {
    for (const chosen of [places, places.slice(0, 1), places.slice(1)]) {
      for (const place of chosen) machine.put(place, make());
      for (const verb of ['status', 'verify', 'plan']) {
        const { status, error } = await machine.run(verb);
        assert.equal(error?.code, undefined, `${name}, ${verb}: ${error}`);
        assert.ok([0, 1, 5].includes(status), name);
      }
    }
    const { status, error } = await machine.run('install');
    assert.ok(status === 0 || status === 5, `${name}: ${error}`);
  }
});
