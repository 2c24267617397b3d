import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { run } from '../../src/command/program.ts';
import { plain, type Text } from '../../src/process/styled-text.ts';

/** Makes a unit file in a directory of its own. */
function aUnitFile(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'espalier-confine-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = join(directory, 'a.service');
  fs.writeFileSync(file, `[Service]\nExecStart=${process.execPath}\n`);
  return file;
}

/** Runs the verb in this process; throws what main.ts would print. */
async function confine(...parameters: string[]): Promise<string> {
  const lines: string[] = [];
  const context = {
    ...processContext(pathToFileURL(import.meta.filename)),
    print: (text: Text) => void lines.push(plain(text)),
  };
  assert.equal(await run(['confine', '-q', ...parameters], '0', context), 0);
  return lines.join('\n');
}

describe('espalier confine', () => {
  test('writes the drop-in beside the unit, once', async (t) => {
    const unit = aUnitFile(t);
    const file = `${unit}.d/confinement.conf`;
    assert.match(await confine(unit), new RegExp(`^${file}: written, \\d+ paths$`));
    const text = fs.readFileSync(file, 'utf8');
    assert.equal(fs.statSync(file).mode & 0o777, 0o644);
    const before = fs.statSync(file).mtimeMs;
    assert.match(await confine(unit), /: unchanged, /);
    assert.equal(fs.statSync(file).mtimeMs, before);
    assert.match(await confine(unit, '--no-bin-sh'), /: written, /);
    assert.notEqual(fs.readFileSync(file, 'utf8'), text);
  });

  test('prints it instead, or writes it where it is told', async (t) => {
    const unit = aUnitFile(t);
    const printed = await confine(unit, '--output', '-', '--mode', 'chroot-only');
    assert.equal(fs.existsSync(`${unit}.d`), false);
    const file = join(unit, '../elsewhere/90-mine.conf');
    await confine(unit, '--output', file, '--mode', 'chroot-only');
    assert.equal(fs.readFileSync(file, 'utf8'), `${printed}\n`);
  });

  test('leaves a file alone that it did not write', async (t) => {
    const unit = aUnitFile(t);
    fs.mkdirSync(`${unit}.d`);
    fs.writeFileSync(`${unit}.d/confinement.conf`, '[Service]\n');
    await assert.rejects(confine(unit), { status: 3 });
    assert.equal(fs.readFileSync(`${unit}.d/confinement.conf`, 'utf8'), '[Service]\n');
  });

  test('tells it all as JSON', async (t) => {
    const unit = aUnitFile(t);
    const got = JSON.parse(await confine(unit, '--json', '--output', '-', '--no-bin-sh'));
    assert.deepEqual(Object.keys(got), [
      'version',
      'verb',
      'unit',
      'mode',
      'binds',
      'notices',
      'text',
    ]);
    assert.deepEqual(got.unit, { name: 'a.service', file: unit, dropIns: [] });
    assert.ok(got.binds.some(({ place }: { place: string }) => place === process.execPath));
  });

  test('refuses a command line that contradicts itself', async (t) => {
    const unit = aUnitFile(t);
    for (const wrong of [
      ['--elf', '--nix'],
      ['--elf', '--closure', 'x'],
      ['--mode', 'none'],
      ['--bin-sh', ''],
      ['--esp', '/boot'],
    ]) {
      await assert.rejects(confine(unit, ...wrong), { status: 2 }, wrong.join(' '));
    }
  });
});
