/** Under real firmware: an entry that never comes up is tried as often as it may be, then another boots. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { makeProfiles } from '../demo/profiles.ts';
import { makeEspImage } from '../lab/esp-image.ts';
import { bootImage } from '../lab/qemu.ts';
import { run } from '../lab/run.ts';
import { assertBooted, install, once, theParts, whatIsMissing } from './installed.ts';

const skip = whatIsMissing(['qemu-system-x86', 'mtools', 'dosfstools']);

const CASES = [
  { format: 'uki', systemd: '257', directory: 'EFI/Linux' },
  { format: 'type1', systemd: '262', directory: 'loader/entries' },
] as const;

suite('counted entries under OVMF', () => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-counting-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const world = once(() => makeProfiles(join(folder, 'world'), theParts()));

  for (const { format, systemd, directory } of CASES) {
    const about = `${format}, systemd-boot ${systemd}`;
    test(`${about}: three tries, then the newest that is not bad`, { skip }, async () => {
      const esp = join(folder, format);
      const image = `${esp}.img`;
      // The systems of this world say that they are up and switch off: none is ever blessed.
      install({ esp, world: world(), format, systemd, bootCounting: 3 });
      makeEspImage(image, esp);
      const boot = () => bootImage({ parts: theParts(), image });
      assert.equal(counterOf(5, image, directory), '+3');
      for (const counter of ['+2-1', '+1-2', '+0-3']) {
        assertBooted(await boot(), '5');
        assert.equal(counterOf(5, image, directory), counter);
      }
      assertBooted(await boot(), '3');
      assert.equal(counterOf(5, image, directory), '+0-3');
      assert.equal(counterOf(3, image, directory), '+2-1');
    });
  }
});

/** Returns the counter of a generation's entry as its name on the image has it. */
function counterOf(generation: number, image: string, directory: string): string | undefined {
  const names = run('mdir', ['-i', image, '-b', `::/${directory}`], {
    env: { MTOOLS_SKIP_CHECK: '1' },
  });
  const entry = new RegExp(`nixos-generation-${generation}-[a-z2-7]{52}(.*)\\.(?:efi|conf)$`, 'm');
  return entry.exec(names)?.[1];
}
