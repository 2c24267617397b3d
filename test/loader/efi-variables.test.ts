import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { loaderVariable, secureBoot } from '../../src/loader/efi-variables.ts';

const directory = mkdtempSync(join(tmpdir(), 'espalier-variables-'));
after(() => rmSync(directory, { recursive: true }));
const disk = nodeDisk();

const SECURE_BOOT = join(directory, 'SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c');
const ONE_SHOT = join(directory, 'LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f');

const utf16 = (text: string) => Buffer.from(text, 'utf16le');
const variable = (value: Uint8Array) => Buffer.concat([Uint8Array.of(6, 0, 0, 0), value]);

function oneShot(bytes: Uint8Array): string | undefined {
  writeFileSync(ONE_SHOT, bytes);
  return loaderVariable(disk, directory, 'LoaderEntryOneShot');
}

test('Secure Boot is on, off or unknown', () => {
  assert.equal(secureBoot(disk, directory), undefined);
  const states = [
    [[1], true],
    [[0], false],
    [[], undefined],
    [[1, 1], undefined],
  ] as const;
  for (const [value, expected] of states) {
    writeFileSync(SECURE_BOOT, variable(Uint8Array.from(value)));
    assert.equal(secureBoot(disk, directory), expected);
  }
});

test('a text is read without its attributes and its NUL', () => {
  assert.equal(oneShot(variable(utf16('nixos-7.efi\0'))), 'nixos-7.efi');
  assert.equal(oneShot(variable(utf16('nixos-7.efi'))), 'nixos-7.efi');
  assert.equal(oneShot(variable(utf16('é\0behind'))), 'é');
});

const unreadable: Readonly<Record<string, Uint8Array>> = {
  'an empty file': Uint8Array.of(),
  'attributes cut short': Uint8Array.of(6, 0),
  'an empty value': variable(Uint8Array.of()),
  'an empty text': variable(utf16('\0')),
  'half a character': variable(Uint8Array.of(0x61, 0, 0x62)),
  'half of a pair': variable(Uint8Array.of(0, 0xd8)),
  'a text with control characters': variable(utf16('\u001b[2J\0')),
  'more than any entry needs': variable(utf16('a'.repeat(10_000))),
};

for (const [what, bytes] of Object.entries(unreadable)) {
  test(`${what} is as good as no variable`, () => {
    assert.equal(oneShot(bytes), undefined);
  });
}

test('without EFI variables nothing is known', () => {
  const nowhere = join(directory, 'nowhere');
  assert.equal(secureBoot(disk, nowhere), undefined);
  assert.equal(loaderVariable(disk, nowhere, 'LoaderInfo'), undefined);
});

test('a directory in place of a variable is no variable', () => {
  mkdirSync(join(directory, 'LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f'));
  assert.equal(loaderVariable(disk, directory, 'LoaderInfo'), undefined);
});

test('a variable that firmware cannot read is as good as none', () => {
  const failing = {
    ...disk,
    read: () => {
      throw new EspError('IO', 'EIO');
    },
  };
  assert.equal(loaderVariable(failing, directory, 'LoaderEntryOneShot'), undefined);
});

test('any bytes are a text or nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const text = oneShot(bytes);
      assert.ok(text === undefined || text.length > 0);
    }),
    { numRuns: 200 },
  );
});
