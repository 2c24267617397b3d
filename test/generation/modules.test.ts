import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modulesRelease } from '../../src/generation/modules.ts';
import { MemoryDisk } from '../support/memory-disk.ts';

const withModules = (...names: readonly string[]) =>
  new MemoryDisk({
    files: Object.fromEntries(
      names.map((name) => [`/system/kernel-modules/lib/modules/${name}/modules.dep`, '']),
    ),
  });

test('the directory of a system’s modules is named after the release of its kernel', () => {
  assert.equal(modulesRelease(withModules('6.12.3-arm64+1'), '/system'), '6.12.3-arm64+1');
});

test('without one directory of modules, or with several, nobody knows the release', () => {
  for (const names of [[], ['6.1', '6.2'], ['build'], [`6${'.1'.repeat(90)}`]]) {
    assert.equal(modulesRelease(withModules(...names), '/system'), undefined);
  }
});
