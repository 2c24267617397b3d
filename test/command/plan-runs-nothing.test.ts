/** `plan` is a look: it runs no program that a system or its settings name. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { certificatePath } from '../signer/test-key.ts';
import { aMachine, type Ran } from './a-machine.ts';

const SECRETS = 'echo ran >>"$(dirname "$0")/../ran"; echo secret >>"$1"';

function warningsOf({ output }: Ran): string {
  return JSON.parse(output).warnings.join('\n');
}

for (const format of ['uki', 'type1']) {
  describe(`plan --format ${format}`, () => {
    test('runs no program that adds secrets, and says what is unknown without it', async (t) => {
      const machine = aMachine(t, { generations: [{}, { secrets: SECRETS }] });
      const ran = await machine.run('plan', '--format', format, '--json');
      assert.equal(ran.status, 5, ran.error?.message);
      assert.equal(fs.existsSync(join(machine.root, 'nix/store/ran')), false);
      assert.match(warningsOf(ran), /generation 2: .* unknown.* --run-secrets/);
      assert.doesNotMatch(warningsOf(ran), /generation 1/);
    });

    test('runs it with --run-secrets, and shows what install does', async (t) => {
      const machine = aMachine(t, { generations: [{ secrets: SECRETS }] });
      const ran = await machine.run('plan', '--format', format, '--run-secrets', '--json');
      assert.equal(ran.status, 0, ran.error?.message);
      assert.equal(fs.existsSync(join(machine.root, 'nix/store/ran')), true);
      await machine.run('install', '--format', format);
      const planned: string[] = JSON.parse(ran.output).esps[0].plan.entries;
      assert.equal(planned.length, 1);
      for (const id of planned) assert.equal(machine.paths(new RegExp(id)).length, 1);
    });

    test('runs no signing command', async (t) => {
      const { machine, command, hasRun } = aCommand(t);
      const args = ['--certificate', certificatePath, '--signing-command', command, '--json'];
      const ran = await machine.runWith(
        {},
        'plan',
        ...machine.arguments(),
        ...['--format', format, '--sign-kernels', '--quiet', ...args],
      );
      assert.equal(hasRun(), false);
      assert.equal(ran.error, undefined);
      assert.equal(ran.status, format === 'uki' ? 0 : 5);
      if (format === 'type1') assert.match(warningsOf(ran), /bzImage: .* unknown/);
    });
  });
}

test('a request for signatures names --run-secrets where it cannot do without', async (t) => {
  const machine = aMachine(t, { generations: [{ secrets: SECRETS }] });
  const request = ['--signing-request', join(machine.root, 'request')];
  const args = ['--certificate', certificatePath, ...request];
  const plain = await machine.run('plan', ...args);
  assert.match(plain.error?.hint ?? '', /--run-secrets/);
  assert.equal(fs.existsSync(join(machine.root, 'nix/store/ran')), false);
  assert.equal((await machine.run('plan', ...args, '--run-secrets')).status, 0);
});

test('no configuration says that secrets are run', async (t) => {
  const machine = aMachine(t);
  const config = join(machine.root, 'config.toml');
  fs.writeFileSync(config, 'run-secrets = true\n');
  assert.equal((await machine.run('plan', '--config', config)).status, 2);
});

/** A machine with a command that leaves a trace when it runs. */
function aCommand(t: TestContext) {
  const machine = aMachine(t);
  const command = join(machine.root, 'sign');
  const trace = join(machine.root, 'signed');
  fs.writeFileSync(command, `#!/bin/sh\ntouch ${trace}\n`, { mode: 0o755 });
  return { machine, command, hasRun: () => fs.existsSync(trace) };
}
