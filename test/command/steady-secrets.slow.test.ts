/** Secrets that are the same are written once, and what counted before goes on counting. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { packers } from '../initrd/an-initrd.ts';
import { formatCpio, memberOf } from '../lab/cpio.ts';
import { Service, until } from '../service/a-service.ts';
import { aMachine, type Machine } from './a-machine.ts';

/** A machine whose program appends what lies in a file beside it. */
function aSecretive(t: TestContext) {
  const secrets = 'cat "$(dirname "$0")/../appended" >> "$1"';
  const machine = aMachine(t, {
    generations: [
      { initrd: 'plain\0\0\0', secrets },
      { initrd: 'plain\0\0\0', secrets, tag: 'other' },
    ],
  });
  const appends = (bytes: Uint8Array) =>
    fs.writeFileSync(join(machine.root, 'nix/store/appended'), bytes);
  return { machine, appends };
}

const archive = (modified: number, text = 'secret') =>
  formatCpio([{ ...memberOf('etc/key', text), modified }]);

const entries = (machine: Machine) => machine.paths(/nixos-generation-\d/);

for (const format of ['uki', 'type1']) {
  for (const [name, pack] of Object.entries(packers)) {
    test(`secrets that differ in times alone (${name}) leave a ${format} ESP as it is`, async (t) => {
      const { machine, appends } = aSecretive(t);
      appends(pack(archive(1)));
      assert.equal((await machine.run('install', '--format', format)).status, 0);
      const before = machine.tree();
      appends(pack(archive(1_800_000_000)));
      const again = await machine.run('install', '--format', format);
      assert.match(again.output, /nothing to do/);
      assert.deepEqual(machine.tree(), before);
      appends(pack(archive(1, 'rotated')));
      assert.match((await machine.run('install', '--format', format)).output, /[1-9] written/);
    });
  }
}

describe('an entry that is written anew', () => {
  for (const format of ['uki', 'type1']) {
    for (const counter of ['', '+0-3', '+2-1', '+3']) {
      test(`keeps its counter ${JSON.stringify(counter)} (${format})`, async (t) => {
        const { machine, appends } = aSecretive(t);
        const install = () => machine.run('install', '--format', format, '--boot-counting', '3');
        appends(Buffer.from('one'));
        await install();
        const [path = ''] = entries(machine);
        const renamed = path.replace(/\+3/, counter);
        fs.renameSync(join(machine.esp, path), join(machine.esp, renamed));
        appends(Buffer.from('two'));
        await install();
        const [after = ''] = entries(machine);
        assert.notEqual(after, renamed);
        const bare = (name: string) => name.replace(/-[a-z2-7]{52}/, '');
        assert.equal(bare(after), bare(renamed));
        assert.equal(entries(machine).length, 2);
      });
    }
  }

  test('does not become what boots next when it was bad', async (t) => {
    const { machine, appends } = aSecretive(t);
    const install = () => machine.run('install', '--boot-counting', '3');
    appends(Buffer.from('one'));
    await install();
    const path = entries(machine)[1] ?? '';
    fs.renameSync(join(machine.esp, path), join(machine.esp, path.replace('+3', '+0-3')));
    appends(Buffer.from('two'));
    assert.equal((await install()).status, 5);
    assert.match(machine.read('loader/loader.conf'), /^(preferred|default) nixos-generation-1-/m);
  });
});

test('a program that appends no archive is told once, by the watcher too', async (t) => {
  const { machine, appends } = aSecretive(t);
  appends(Buffer.from('no archive'));
  const service = new Service(machine, { args: ['--rescan', '1', '-v'] });
  t.after(() => service.end());
  await until('the first pass', () => service.passes >= 1);
  await service.looks(2);
  const told = service.log.filter(({ msg }) => msg.includes('is no cpio archive'));
  assert.deepEqual(
    told.map(({ level }) => level),
    [40],
  );
});
