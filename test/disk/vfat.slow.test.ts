/** The kernel's own vfat keeps the promises that the FAT in memory makes in its name. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { memberFrom } from '../lab/cpio.ts';
import { runInGuest } from '../lab/guest.ts';
import { findParts } from '../lab/parts.ts';
import { run } from '../lab/run.ts';
import { missingTools } from '../lab/tools.ts';

test('the disk contract holds on a FAT of 512 KiB in a virtual machine', async (t) => {
  const parts = findParts();
  const missing = missingTools(['qemu-system-x86', 'dosfstools']);
  if (parts === undefined) return t.skip('needs the parts of the lab');
  if (missing.length > 0) return t.skip(`needs ${missing.join(', ')}`);
  const folder = mkdtempSync(join(tmpdir(), 'espalier-vfat-'));
  try {
    const script = join(folder, 'contract.cjs');
    const entry = join(import.meta.dirname, '../support/vfat-contract.ts');
    await build({ entryPoints: [entry], outfile: script, bundle: true, platform: 'node' });
    const image = join(folder, 'esp.img');
    run('mkfs.vfat', ['-C', image, '512']);
    const members = [memberFrom('contract.cjs', script)];
    // Then again with masks under which FAT's read-only attribute sticks.
    const again = 'node --test-name-pattern=read-only /contract.cjs';
    const commands = [
      'node /contract.cjs',
      // Then with the option under which case counts, where the kernel has it.
      'umount /boot; mount -t vfat -o iocharset=utf8 /dev/vda /boot && node --test-name-pattern=whatever /contract.cjs',
      ...['fmask=0133', 'fmask=0111'].map(
        (mask) => `umount /boot; mount -t vfat -o ${mask} /dev/vda /boot && ${again}`,
      ),
    ];
    for (const { status, output } of await runInGuest({ parts, image, members, commands })) {
      assert.equal(status, 0, output);
      assert.match(output, /^ℹ pass [1-9]/m);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
