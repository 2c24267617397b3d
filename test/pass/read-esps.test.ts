/** What lies on the ESPs of the settings is told of each, or why it cannot be. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { architecture as architectureFor } from '../../src/loader/architecture.ts';
import { readEsps } from '../../src/pass/read-esps.ts';
import { aSystem, BOOT, ESP, type SystemShape } from '../volumes/a-system.ts';

/** Reads the ESPs of a system, as `list` does. */
async function read(shape: SystemShape) {
  const { settings, context } = await aSystem(shape);
  const look = {
    ...{ settings, deep: false, adopts: false, declared: [], named: [], verifier: undefined },
    closeness: 'sizes' as const,
    architecture: architectureFor('x86_64-linux'),
  };
  return readEsps(settings, look, context);
}

describe('what lies on ESPs', () => {
  test('is told of each, or why it cannot be', async () => {
    const files = { '/efi/loader/entries/a.conf': 'title a\n', '/boot/EFI/Linux': 'a file' };
    const [first, ...others] = await read({ files, settings: { esp: [ESP, BOOT, '/gone'] } });
    assert.ok(first && 'view' in first);
    assert.deepEqual(
      first.view.inventory.entries.map(({ id }) => id),
      ['a.conf'],
    );
    assert.deepEqual(
      others.map(({ root, failure }) => [root, failure?.code]),
      [
        [BOOT, 'FOREIGN_LAYOUT'],
        ['/gone', 'ESP_NOT_MOUNTED'],
      ],
    );
  });

  test('is refused when none can be read', async () => {
    await assert.rejects(read({ files: { '/efi/loader': 'a file' } }), { code: 'FOREIGN_LAYOUT' });
  });
});
