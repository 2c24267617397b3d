/** What the menu shows of an image of `lzbt-systemd`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOsRelease } from '../../src/uki/os-release.ts';
import { anLzbtMachine } from './a-lzbt.ts';
import { readThin } from './image.ts';

const EXTENSIONS = { 'org.nix-community.lanzaboote': { sort_key: 'lanza' } };

test('an image tells its sort key, its label with number and date, and both again as version', async (t) => {
  const { machine, install } = anLzbtMachine(t, [
    { label: 'LanzaOS', builtAt: 0, extensions: EXTENSIONS },
  ]);
  await install();
  const { osrel } = readThin(machine, machine.paths(/^EFI\/Linux\//)[0] ?? '');
  assert.deepEqual(parseOsRelease(osrel), [
    ['ID', 'lanza'],
    ['PRETTY_NAME', 'LanzaOS (Generation 1, 1970-01-01)'],
    ['VERSION_ID', 'Generation 1, 1970-01-01'],
  ]);
});

test('an image without a sort key sorts where lanzaboote’s do', async (t) => {
  const { machine, install } = anLzbtMachine(t);
  await install();
  const { osrel } = readThin(machine, machine.paths(/^EFI\/Linux\//)[0] ?? '');
  assert.deepEqual(parseOsRelease(osrel)[0], ['ID', 'lanzaboote']);
});

test('a specialisation is told by its name', async (t) => {
  const { machine, install } = anLzbtMachine(t, [
    { label: 'LanzaOS', builtAt: 0, specialisations: { rescue: {} } },
  ]);
  await install();
  const { osrel } = readThin(machine, machine.paths(/-specialisation-rescue-/)[0] ?? '');
  assert.match(osrel, /^VERSION_ID="Generation 1-rescue, 1970-01-01"$/m);
});

test('the command line is the init of the system and its parameters', async (t) => {
  const { machine, install } = anLzbtMachine(t, [{ kernelParams: ['quiet', 'root=fstab'] }]);
  await install();
  const { cmdline } = readThin(machine, machine.paths(/^EFI\/Linux\//)[0] ?? '');
  assert.equal(cmdline, `init=${machine.toplevel(1)}/init quiet root=fstab`);
});
