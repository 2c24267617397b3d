/** Manual pages say what the tables say, in a form that man(1) and mandoc(1) take without a word. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { optionsOf } from '../../src/command/verb.ts';
import { VERBS } from '../../src/command/verbs.ts';
import { ROWS } from '../../src/settings/verb-options.ts';
import { pages, writePages } from '../../tools/manual.ts';
import { attempt } from '../lab/run.ts';

describe('the manual pages', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-manual-'));
  after(() => rmSync(folder, { recursive: true }));
  const files = writePages(join(folder, 'man'), '0.0.0');

  test('there is one for the program, for each verb and for the settings', () => {
    assert.equal(files.length, VERBS.length + 2);
  });

  test('mandoc has nothing to say against any', {
    skip: attempt('mandoc', ['-Tlint', '/dev/null']).status === 127 && 'SKIPPED, needs mandoc',
  }, () => {
    for (const file of files) {
      const { stdout } = attempt('mandoc', ['-Tlint', '-Wwarning', file]);
      // A page of a build has the version in place of a date.
      const said = stdout.split('\n').filter((line) => line !== '' && !/missing date/.test(line));
      assert.deepEqual(said, []);
    }
  });

  test('man shows every option of a verb and every setting, unbroken', {
    skip: attempt('man', ['--version']).status !== 0 && 'SKIPPED, needs man',
  }, () => {
    const shown = (name: string) => {
      const args = ['--warnings=all', '-E', 'UTF-8', '-l', join(folder, 'man', name)];
      const { status, stdout, stderr } = attempt('man', args);
      assert.equal(status, 0, stderr);
      return stdout;
    };
    const install = VERBS.find(({ name }) => name === 'install');
    assert.ok(install);
    const text = shown('espalier-install.8');
    for (const { name } of optionsOf(install)) assert.ok(text.includes(`--${name}`), name);
    const settings = shown('espalier.toml.5');
    for (const [name] of ROWS) assert.ok(settings.includes(name), name);
  });

  test('no page is cut by a line that man takes for a request', () => {
    const known = /^\.(TH|SH|TP|B|nf|fi)( |$)/;
    for (const { name, text } of pages('0.0.0')) {
      for (const line of text.split('\n').filter((each) => /^[.']/.test(each)))
        assert.match(line, known, `${name}: ${line}`);
    }
  });
});
