/** What firmware would load, and what it would refuse to look into. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aPe, countingBytes } from '../pe/a-pe.ts';
import { hasBrokenDirectory } from './fsck.ts';
import { isLoadable } from './pe-section.ts';

test('a program is loaded only when every section of it is there', () => {
  const whole = aPe({ sections: [{ name: '.text', bytes: countingBytes(2000) }] });
  assert.ok(isLoadable(whole));
  for (const length of [0, 1, 63, 300, whole.length - 513]) {
    assert.ok(!isLoadable(whole.subarray(0, length)), `${length} of ${whole.length} bytes`);
  }
  assert.ok(!isLoadable(new TextEncoder().encode('MZ, and nothing else')));
});

test('a directory that leads into a free cluster is broken, however its name is written', () => {
  const free = 'Contains a free cluster (N). Assuming EOF.';
  const isBroken = (...complaints: string[]) => hasBrokenDirectory({ isClean: false, complaints });
  assert.ok(isBroken('/EFI/Linux', free));
  assert.ok(isBroken('/LOADER/ENTRIES', free));
  assert.ok(isBroken('/loader', free));
  assert.ok(!isBroken('/EFI/Linux/x.efi', free));
  assert.ok(!isBroken('/EFI/Linux', 'share clusters.'));
});
