/** Pins against the garbage collector of a real Nix. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';
import { aKernel, aMachine, type Machine } from './a-machine.ts';

const skip = missingTools(['nix-bin']).length > 0 && 'SKIPPED, needs Debian’s nix-bin';

/** Makes the store of a machine one of Nix: each system refers to all that is no system. */
function aNixStore({ root }: Machine): (...args: readonly string[]) => string {
  const store = join(root, 'nix/store');
  const env = {
    NIX_REMOTE: '',
    NIX_STORE_DIR: store,
    NIX_STATE_DIR: join(root, 'nix/var/nix'),
    NIX_LOG_DIR: join(root, 'nix/log'),
    NIX_CONFIG: 'build-users-group =',
    HOME: root,
  };
  const paths = fs.readdirSync(store).map((name) => join(store, name));
  const isSystem = (path: string) => path.includes('-nixos-system-');
  const parts = paths.filter((path) => !isSystem(path));
  const lines = paths.flatMap((path) => {
    const references = isSystem(path) ? parts : [];
    return [path, '', `${references.length}`, ...references];
  });
  run('nix-store', ['--register-validity'], { env, input: `${lines.join('\n')}\n` });
  return (...args) => {
    const said = run('nix-store', args, { env });
    // What Nix made read-only could not be removed after the test.
    run('chmod', ['-R', 'u+w', store]);
    return said;
  };
}

test('what is pinned outlives its profile and every garbage collection, until it is unpinned', {
  skip,
}, async (t) => {
  const machine = aMachine(t, { generations: [{ kernel: aKernel('old') }, {}] });
  const nix = aNixStore(machine);
  const pins = ['--pins', join(machine.root, 'nix/var/nix/gcroots/espalier')];
  const system = machine.toplevel(1);
  assert.equal((await machine.run('pin', '1', ...pins)).status, 0);
  fs.rmSync(machine.link(1));

  nix('--gc');
  assert.equal((await machine.run('install', ...pins)).status, 0);
  assert.deepEqual(machine.installed(), [1, 2]);
  assert.deepEqual(nix('--verify', '--check-contents'), '');

  assert.equal((await machine.run('unpin', '1', ...pins)).status, 0);
  nix('--gc');
  assert.ok(!fs.existsSync(system), 'now it is garbage');
});
