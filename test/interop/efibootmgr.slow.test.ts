/** efibootmgr reads what we write, and we read what it writes. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { processContext } from '../../src/command/process-context.ts';
import { readFirmwareBoot, register } from '../../src/firmware/boot-entries.ts';
import { openVariables } from '../../src/firmware/variables.ts';
import type { Guid } from '../../src/guid.ts';
import { MAIN } from '../command/a-machine.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';

const missing = missingTools(['efibootmgr']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

const PARTUUID = '0a1b2c3d-1122-3344-5566-77889900aabb' as Guid;

test('efibootmgr and we agree on boot entries and their order', { skip }, (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'espalier-efivars-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const global = (name: string) => join(directory, `${name}-8be4df61-93ca-11d2-aa0d-00e098032b8c`);
  writeFileSync(global('Timeout'), Uint8Array.of(7, 0, 0, 0, 5, 0));
  const context = processContext(pathToFileURL(MAIN));
  const environment = { ESPALIER_EFIVARS: directory };
  const variables = openVariables({ ...context, environment });
  const partition = { number: 2, first: 2048, sectors: 204800, uuid: PARTUUID };
  const path = '\\EFI\\systemd\\systemd-bootx64.efi';
  const wanted = ['Linux Boot Manager', 'Träger'].map((title, index) => {
    return { title, partition, path: index === 0 ? path : '\\second.efi', isFallback: index > 0 };
  });
  assert.deepEqual(register(variables, wanted, false), [0, 1]);
  const env = { EFIVARFS_PATH: `${directory}/`, LIBEFIVAR_OPS: 'efivarfs' };
  const seen = run('efibootmgr', ['-v'], { env });
  assert.match(seen, /^Timeout: 5 seconds\nBootOrder: 0000,0001\n/m);
  const drive = `HD(2,GPT,${PARTUUID},0x800,0x32000)`;
  assert.ok(seen.includes(`Boot0000* Linux Boot Manager\t${drive}/File(${path})\n`), seen);
  assert.ok(seen.includes(`${drive}/File(\\second.efi)\n`), seen);
  run('efibootmgr', ['-n', '1', '-A', '-b', '0'], { env });
  const boot = readFirmwareBoot(variables);
  assert.equal(boot.next, 1);
  assert.deepEqual(
    boot.entries.map(({ number, isActive, title }) => [number, isActive, title]),
    [
      [0, false, 'Linux Boot Manager'],
      [1, true, 'Träger'],
    ],
  );
  assert.equal(readFileSync(global('BootOrder')).length, 8);
});
