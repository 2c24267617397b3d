/** The hooks of package managers: what is in the tree, and what the shell thinks of it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { hookFiles } from '../../src/units/hooks.ts';

const checkedIn = resolve(import.meta.dirname, '../../systemd/hooks');

const usual = hookFiles({
  node: '/usr/bin/node',
  program: '/usr/lib/espalier/espalier.mjs',
  library: '/usr/lib/espalier',
  etc: '/etc',
  stateDirectory: '/var/lib/espalier',
});

test('the hooks in systemd/ are those of a machine with everything at its usual place', () => {
  for (const { path, text, isProgram } of usual) {
    const file = join(checkedIn, path);
    if (process.env['UPDATE_GOLDEN']) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      chmodSync(file, isProgram ? 0o755 : 0o644);
    }
    assert.equal(readFileSync(file, 'utf8'), text, `${path}: UPDATE_GOLDEN=1`);
    assert.equal((statSync(file).mode & 0o100) !== 0, isProgram, path);
  }
  const there = globSync('**/*', { cwd: checkedIn, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  assert.equal(there.length, usual.length);
});

test('the shell reads every hook, and nothing in a path reaches it as a command', () => {
  const odd = hookFiles({
    node: "/opt/a'b $(touch x)/node",
    program: '/p',
    library: '/l',
    etc: '/etc',
    config: '/etc/my settings.toml',
    stateDirectory: '/var/lib/espalier',
  });
  for (const { path, text, isProgram } of [...usual, ...odd].filter((each) => each.isProgram)) {
    assert.ok(isProgram);
    const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' });
    assert.equal(status, 0, `${path}: ${stderr}`);
  }
  const executable = { node: '/usr/bin/espalier', program: '/usr/bin/espalier' };
  const paths = { library: '/l', etc: '/etc', stateDirectory: '/s' };
  assert.match(
    hookFiles({ ...executable, ...paths })[0]?.text ?? '',
    /^ {2}\/usr\/bin\/espalier "\$@"/m,
  );
  const [hook] = odd;
  assert.match(
    hook?.text ?? '',
    /'\/opt\/a'\\''b \$\(touch x\)\/node' \/p "\$@" --config '\/etc\/my settings\.toml'/,
  );
});

test('names are such that run-parts runs them', () => {
  const programs = usual.filter(({ path }) => /\.d\/zz-/.test(path));
  assert.equal(programs.length, 3);
  for (const { path } of programs) assert.match(path, /\/[a-zA-Z0-9_-]+$/);
});
