/** `config`: what is in force and why, and the copy that a service reads. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { aMachine } from './a-machine.ts';

describe('config check', () => {
  test('names the place of each setting that somebody set, the highest in rank', async (t) => {
    const machine = aMachine(t);
    const config = join(machine.root, 'espalier.toml');
    writeFileSync(config, 'limit = 3\nformat = "type1"\n[loader]\ntimeout = 4\n');
    const { status, output } = await machine.runWith(
      { environment: { ESPALIER_FORMAT: 'uki' } },
      'config',
      'check',
      '--config',
      config,
      '--limit',
      '7',
    );
    assert.equal(status, 0);
    assert.match(output, /^limit +7 +--limit$/m);
    assert.match(output, /^format +uki +ESPALIER_FORMAT$/m);
    assert.match(output, new RegExp(`^loader +\\{"timeout":4\\} +${config}: loader$`, 'm'));
    assert.doesNotMatch(output, /boot-counting/);
  });

  test('shows defaults when asked for more, and all of it as JSON', async (t) => {
    const machine = aMachine(t);
    const more = await machine.runWith({}, 'config', 'check', '-v');
    assert.match(more.output, /^limit +\S+ +default$/m);
    const json = await machine.runWith({}, 'config', 'check', '--json');
    const { settings, mistakes } = JSON.parse(json.output);
    assert.deepEqual(mistakes, []);
    assert.deepEqual(
      settings.find(({ name }: { name: string }) => name === 'limit'),
      {
        name: 'limit',
        value: settings.find((row: { name: string }) => row.name === 'limit').value,
        from: null,
      },
    );
  });

  test('tells every mistake at once, each with what to do', async (t) => {
    const machine = aMachine(t);
    const config = join(machine.root, 'espalier.toml');
    writeFileSync(config, 'limit = "many"\nfromat = "uki"\n');
    const { status, output } = await machine.runWith({}, 'config', 'check', '--config', config);
    assert.equal(status, 2);
    assert.match(output, /limit: .*\n {2}hint: correct limit in /);
    assert.match(output, /fromat: there is no such setting\n {2}hint: did you mean format\?/);
  });
});

describe('config copy', () => {
  test('writes what the file says now, and an empty file when there is none', async (t) => {
    const machine = aMachine(t);
    const [config, copy] = [join(machine.root, 'espalier.toml'), join(machine.root, 'copy.toml')];
    const args = ['config', 'copy', copy, '--config', config];
    assert.equal((await machine.runWith({}, ...args)).status, 0);
    assert.equal(readFileSync(copy, 'utf8'), '');
    writeFileSync(config, 'limit = 3\n');
    assert.equal((await machine.runWith({}, ...args)).status, 0);
    assert.equal(readFileSync(copy, 'utf8'), 'limit = 3\n');
  });

  test('signals no process but one that a number names', async (t) => {
    const machine = aMachine(t);
    for (const pid of ['0', '-1', 'main', '1e3']) {
      const args = ['config', 'copy', join(machine.root, 'copy'), `--hangup=${pid}`];
      const { error } = await machine.runWith({}, ...args);
      assert.equal(error?.code, 'CONFIG_INVALID');
    }
  });
});
