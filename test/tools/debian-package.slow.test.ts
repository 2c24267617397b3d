/** What a Debian package is made from says what its bytes are. Its life is in test/units/debian.slow.test.ts. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { debianPackage } from '../../tools/debian-package.ts';

test('the same files give the same package', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-deb-'));
  after(() => rmSync(folder, { recursive: true }));
  const program = join(folder, 'program');
  writeFileSync(program, 'as small as it gets');
  const made = async (name: string) => {
    const output = join(folder, name);
    await debianPackage({ architecture: 'arm64', program, version: '1', output });
    return readFileSync(output);
  };
  const umask = process.umask(0o077);
  const first = await made('first.deb');
  process.umask(umask);
  assert.ok(first.equals(await made('second.deb')));
});
