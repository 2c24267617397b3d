import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { readElf } from '../../src/confine/elf.ts';
import { readLoaderCache } from '../../src/confine/loader-cache.ts';
import { EspError } from '../../src/error.ts';
import { anElf } from './an-elf.ts';
import { hasTool } from './host.ts';

describe('an ELF file', () => {
  for (const bits of [32, 64] as const) {
    for (const bigEndian of [false, true]) {
      test(`of ${bits} bits, ${bigEndian ? 'big' : 'little'} endian, tells what it needs`, () => {
        const bytes = anElf({
          bits,
          bigEndian,
          machine: 183,
          interpreter: '/lib/ld.so.1',
          needed: ['liba.so.1', 'libb.so.2'],
          soname: 'libself.so',
          rpath: '/old:$ORIGIN',
          runpath: '/new',
          flags1: 0x800,
        });
        assert.deepEqual(readElf(bytesSource(bytes), 'x'), {
          bits,
          machine: 183,
          interpreter: '/lib/ld.so.1',
          needed: ['liba.so.1', 'libb.so.2'],
          soname: 'libself.so',
          rpath: ['/old', '$ORIGIN'],
          runpath: ['/new'],
          ownDirectoriesOnly: true,
        });
      });
    }
  }

  test('that is cut off anywhere is refused by name, or reads the same', () => {
    const whole = anElf({ interpreter: '/lib/ld.so.1', needed: ['liba.so.1'] });
    const expected = readElf(bytesSource(whole), 'x');
    for (let length = 0; length < whole.length; length += 1) {
      const part = bytesSource(whole.subarray(0, length));
      try {
        assert.deepEqual(readElf(part, 'cut'), expected);
      } catch (error) {
        assert.ok(error instanceof EspError, String(error));
        assert.match(error.message, /^cut: .*: expected .*, got /);
      }
    }
  });

  test('with any bytes changed is read or refused, and nothing else', () => {
    const whole = anElf({ interpreter: '/lib/ld.so.1', needed: ['liba.so.1'], runpath: '$ORIGIN' });
    const change = fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), (changes) => {
        const bytes = whole.slice();
        for (const [at, value] of changes) bytes[at] = value;
        try {
          readElf(bytesSource(bytes), 'x');
        } catch (error) {
          assert.ok(error instanceof EspError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the table of the dynamic linker', () => {
  const path = '/etc/ld.so.cache';

  test('says what ldconfig says of it', (t) => {
    if (!hasTool('ldconfig')) return t.skip('needs ldconfig');
    const printed = execFileSync('ldconfig', ['-p'], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
    });
    const lines = [...printed.matchAll(/^\t(\S+) \(.*\) => (\S+)$/gm)];
    const expected = lines.map(([, name, file]) => `${name} ${file}`);
    const cache = readLoaderCache(bytesSource(readFileSync(path)));
    const got = [...cache].flatMap(([name, files]) => files.map((file) => `${name} ${file}`));
    assert.ok(got.length > 0);
    assert.deepEqual(got.sort(), expected.sort());
  });

  test('is empty when damaged, and never more than the file could hold', (t) => {
    if (!hasTool('ldconfig')) return t.skip('needs ldconfig');
    const whole = readFileSync(path);
    fc.assert(
      fc.property(
        fc.nat(whole.length),
        fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        (length, changes) => {
          const bytes = new Uint8Array(whole.subarray(0, length));
          for (const [at, value] of changes) if (at < length) bytes[at] = value;
          assert.ok(readLoaderCache(bytesSource(bytes)).size <= length / 24);
        },
      ),
      { numRuns: 100 },
    );
  });
});
