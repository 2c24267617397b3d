/** Settings that are found in a loader.conf are kept as long as the sector has room, to the byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Line } from '../../src/bls.ts';
import {
  type BootsNext,
  formatLoaderConf,
  parseLoaderConf,
  SECTOR,
  salvageSettings,
} from '../../src/loader/loader-conf.ts';

const next: BootsNext = { id: 'nixos-generation-1.efi' };
const HEAD = `default ${next.id}\n`.length;

/** A setting whose line has so many bytes. */
function aLine(bytes: number, value: (length: number) => string): Line {
  const key = 'console-mode';
  return [key, value(bytes - key.length - 2)];
}

const plain = (length: number) => 'x'.repeat(length);
/** A value that would lose its blank without the two quotes around it. */
const quoted = (length: number) => `${'x'.repeat(length - 3)} `;

for (const [what, value] of [
  ['a plain', plain],
  ['a quoted', quoted],
] as const) {
  test(`${what} value that fills the sector is kept`, () => {
    const line = aLine(SECTOR - HEAD, value);
    assert.deepEqual(salvageSettings([line], next), { kept: [line], lost: [] });
    const text = new TextDecoder().decode(formatLoaderConf([line], next));
    assert.deepEqual(parseLoaderConf(text).at(-1), line);
  });

  test(`${what} value that makes the file a byte longer than a sector is lost and told`, () => {
    const line = aLine(SECTOR - HEAD + 1, value);
    assert.deepEqual(salvageSettings([line], next), { kept: [], lost: ['console-mode'] });
    assert.throws(() => formatLoaderConf([line], next), { code: 'CONFIG_INVALID' });
  });
}

test('a setting that has no room leaves room for those after it', () => {
  const long: Line = ['console-mode', plain(SECTOR)];
  const short: Line = ['timeout', '3'];
  assert.deepEqual(salvageSettings([long, short], next), {
    kept: [short],
    lost: ['console-mode'],
  });
});

test('what boots next is not salvaged: it is ours to write', () => {
  const found: readonly Line[] = [
    ['default', 'other.efi'],
    ['preferred', 'other.efi'],
    ['timeout', '3'],
  ];
  assert.deepEqual(salvageSettings(found, next), { kept: [['timeout', '3']], lost: [] });
});
