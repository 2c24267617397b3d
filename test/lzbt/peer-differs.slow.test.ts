/** What docs/tasks.md says of lanzaboote, where ours does otherwise, is so. Ours is told by the other tests. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { aKernel, type Machine } from '../command/a-machine.ts';
import { run } from '../lab/run.ts';
import { sectionContents } from './image.ts';
import { aMachineForBoth, peerInstalls, peerRuns, whyNoPeer } from './peer.ts';

const IMAGES = /^EFI\/Linux\//;

/** The path of the one file that matches. */
function only(machine: Machine, pattern: RegExp): string {
  const [path, ...more] = machine.paths(pattern);
  assert.ok(path !== undefined && more.length === 0, `${pattern}`);
  return join(machine.esp, path);
}

suite('lanzaboote', { skip: whyNoPeer() }, () => {
  for (const kind of ['kernel', 'initrd']) {
    test(`keeps a ${kind} that was cut short`, (t) => {
      const lzbt = aMachineForBoth(t, [{}]);
      peerInstalls(lzbt);
      const file = only(lzbt.machine, new RegExp(`${kind}-`));
      truncateSync(file, 10);
      peerInstalls(lzbt);
      assert.equal(statSync(file).size, 10);
    });
  }

  test('keeps an image without its signature', (t) => {
    const lzbt = aMachineForBoth(t, [{}]);
    peerInstalls(lzbt);
    const image = only(lzbt.machine, IMAGES);
    run('sbattach', ['--remove', image]);
    const before = readFileSync(image);
    peerInstalls(lzbt);
    assert.deepEqual(readFileSync(image), before);
  });

  test('does not see that secrets were rotated', (t) => {
    const lzbt = aMachineForBoth(t, [{ secrets: 'echo 1 >> "$1"' }]);
    const { machine } = lzbt;
    peerInstalls(lzbt);
    const before = machine.tree();
    const program = join(machine.toplevel(1), 'append-initrd-secrets');
    chmodSync(program, 0o755);
    writeFileSync(program, '#!/bin/sh\necho 2 >> "$1"\n');
    peerInstalls(lzbt);
    assert.deepEqual(machine.tree(), before);
  });

  test('collects nothing when a generation is broken, and gives no reason', (t) => {
    const lzbt = aMachineForBoth(t, [{}, {}]);
    const { machine } = lzbt;
    machine.put('EFI/nixos/garbage', '');
    rmSync(machine.toplevel(1), { recursive: true });
    const { status, stderr } = peerRuns(lzbt);
    assert.equal(status, 0);
    assert.doesNotMatch(stderr, /boot\.json|No such file or directory.*toplevel/);
    assert.match(stderr, /malformed/);
    only(machine, /garbage/);
  });

  test('ends at a generation that cannot be installed', (t) => {
    const lzbt = aMachineForBoth(t, [{ secrets: 'exit 3' }, {}]);
    assert.equal(peerRuns(lzbt).status, 1);
    assert.deepEqual(lzbt.machine.installed(), []);
  });

  test('takes a malformed boot.json for none', (t) => {
    const lzbt = aMachineForBoth(t, [{ bootJson: '{', specialisations: { rescue: {} } }]);
    peerInstalls(lzbt);
    assert.equal(lzbt.machine.paths(IMAGES).length, 2);
  });

  test('installs a kernel that is no program', (t) => {
    const lzbt = aMachineForBoth(t, [{ kernel: 'no program' }]);
    peerInstalls(lzbt);
    assert.deepEqual(lzbt.machine.installed(), [1]);
  });

  test('cannot run twice with a loader of Debian', (t) => {
    const lzbt = aMachineForBoth(t, [{}], '257.13-1~deb13u1');
    peerInstalls(lzbt);
    const { status, stderr } = peerRuns(lzbt);
    assert.equal(status, 1);
    assert.match(stderr, /Failed to read systemd-boot version/);
  });

  test('removes a kernel that an entry of another names', (t) => {
    const lzbt = aMachineForBoth(t, [{}]);
    const { machine } = lzbt;
    machine.put('EFI/nixos/other-bzImage.efi', aKernel());
    machine.put('loader/entries/other.conf', 'linux /EFI/nixos/other-bzImage.efi\n');
    peerInstalls(lzbt);
    assert.deepEqual(machine.paths(/other-bzImage/), []);
  });

  test('removes the entry that runs', (t) => {
    const lzbt = aMachineForBoth(t, [{}, {}]);
    const { machine } = lzbt;
    peerInstalls(lzbt);
    machine.boots(1);
    peerInstalls(lzbt, '--configuration-limit', '1');
    assert.deepEqual(machine.installed(), [2]);
  });

  test('fails without an initrd', (t) => {
    const lzbt = aMachineForBoth(t, [{ initrd: null }]);
    assert.equal(peerRuns(lzbt).status, 101);
  });

  test('makes the ESP that is not there', (t) => {
    const lzbt = aMachineForBoth(t, [{}]);
    rmSync(lzbt.machine.esp, { recursive: true });
    peerInstalls(lzbt);
    assert.deepEqual(lzbt.machine.installed(), [1]);
  });

  test('writes a label, a parameter and the name of a specialisation as they are', (t) => {
    const shape = { label: 'a\nID=b', kernelParams: ['c\td'], specialisations: { 'E f': {} } };
    const lzbt = aMachineForBoth(t, [shape]);
    peerInstalls(lzbt);
    const image = only(lzbt.machine, /-specialisation-E f-/);
    const sections = sectionContents(image);
    assert.match(`${sections.get('.osrel')}`, /^PRETTY_NAME=a\nID=b \(/m);
    assert.match(`${sections.get('.cmdline')}`, / c\td$/);
  });

  test('uses a key that others can read', (t) => {
    const lzbt = aMachineForBoth(t, [{}]);
    const key = join(lzbt.machine.root, 'db.key');
    const given = lzbt.options.find((option) => option.startsWith('--private-key=')) ?? '';
    cpSync(given.replace('--private-key=', ''), key);
    chmodSync(key, 0o644);
    const options = lzbt.options.map((option) =>
      option === given ? `--private-key=${key}` : option,
    );
    peerInstalls({ ...lzbt, options });
  });

  test('makes files in a plain directory that everyone may read', (t) => {
    const lzbt = aMachineForBoth(t, [{}]);
    peerInstalls(lzbt);
    assert.equal(statSync(only(lzbt.machine, /initrd-/)).mode & 0o777, 0o755);
  });
});
