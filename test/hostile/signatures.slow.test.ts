/** What crafted signatures do to a run that judges them: nothing but to be found invalid. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aMachine } from '../command/a-machine.ts';
import { certificatePath, privateKeyPath } from '../signer/test-key.ts';
import { FIXED } from './case.ts';
import { images, signatureCases } from './corpus-signatures.ts';
import { aProgram } from './measured.ts';
import { besiege } from './siege.ts';

const measure = aProgram();

for (const hostile of signatureCases) test(hostile.name, (t) => besiege(t, hostile, measure));

test('a boot loader with a crafted signature is replaced by one that firmware starts', async (t) => {
  const machine = aMachine(t);
  const keys = ['--certificate', certificatePath, '--private-key', privateKeyPath];
  const args = [...machine.arguments(), ...keys, '--allow-insecure-key'];
  await machine.runWith({}, 'install', ...args);
  const whole = machine.tree();
  for (const make of images) {
    for (const place of FIXED.slice(0, 2)) machine.put(place, make());
    const found = await machine.runWith({}, 'verify', ...args);
    assert.equal(found.status, 1);
    const { status, error } = await machine.runWith({}, 'install', ...args);
    assert.equal(status, 0, String(error));
    assert.deepEqual(machine.tree(), whole);
  }
});
