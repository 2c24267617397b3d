/** The boot entries of firmware are read where they decide something, and nowhere else. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { processContext } from '../../src/command/process-context.ts';
import { lookAlone, readEsp } from '../../src/inspection/read-esp.ts';
import { readSettings } from '../../src/settings/settings.ts';
import { openTarget } from '../../src/volumes/volumes.ts';
import { aMachine } from '../command/a-machine.ts';
import { aPe } from '../pe/a-pe.ts';

test('whether firmware comes to our loader is asked only where another system has the fallback path', async (t) => {
  const machine = aMachine(t);
  machine.variable('BootOrder', 'global', Uint8Array.of(1, 0));
  const context = {
    ...processContext(new URL('../support/hash-worker.ts', import.meta.url)),
    environment: { ESPALIER_EFIVARS: machine.efivars },
  };
  const flags = { esp: [machine.esp], 'allow-directory': true };
  const settings = await readSettings(flags, {}, context.disk);
  const options = async () => {
    const target = openTarget(machine.esp, settings, context);
    const { firmware } = await readEsp(target, await lookAlone(settings, context), context);
    return firmware?.bootOptions;
  };
  assert.equal(await options(), undefined);
  fs.mkdirSync(join(machine.esp, 'EFI/BOOT'), { recursive: true });
  fs.writeFileSync(join(machine.esp, 'EFI/BOOT/BOOTX64.EFI'), aPe());
  assert.deepEqual(await options(), []);
});
