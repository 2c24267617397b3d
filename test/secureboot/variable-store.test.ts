import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { type Guid, guidBytes } from '../../src/guid.ts';
import {
  NO_TIME,
  NON_VOLATILE,
  readVariables,
  type StoredVariable,
  withVariables,
} from '../../src/secureboot/variable-store.ts';

const VENDOR = '8be4df61-93ca-11d2-aa0d-00e098032b8c' as Guid;

/** A firmware volume with an empty store of some bytes, and what is behind it. */
function aTemplate(size: number): Uint8Array {
  const file = new Uint8Array(72 + size + 100).fill(0xff);
  const view = new DataView(file.buffer);
  file.fill(0, 0, 72);
  file.set(new TextEncoder().encode('_FVH'), 40);
  view.setUint16(48, 72, true);
  file.set(guidBytes('aaf32c78-947b-439a-a180-2e144ec37792' as Guid), 72);
  view.setUint32(88, size, true);
  file.set([0x5a, 0xfe, 0, 0, 0, 0, 0, 0], 92);
  file.fill(7, 72 + size);
  return file;
}

const aVariable = (name: string, data: Uint8Array): StoredVariable => ({
  ...{ name, vendor: VENDOR, attributes: NON_VOLATILE, time: NO_TIME, data },
});

describe('a store of EFI variables', () => {
  test('gives back what was put into it, and leaves what is around it alone', () => {
    const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\0'));
    const variables = fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 50 })), {
      maxLength: 8,
      selector: ([text]) => text,
    });
    const template = aTemplate(4000);
    fc.assert(
      fc.property(variables, (wanted) => {
        const all = wanted.map(([text, data]) => aVariable(text, data));
        const file = withVariables(template, all, 'vars.fd');
        assert.deepEqual(readVariables(file, 'vars.fd'), all);
        assert.equal(file.length, template.length);
        assert.deepEqual(file.subarray(0, 100), template.subarray(0, 100));
        assert.deepEqual(file.subarray(-100), template.subarray(-100));
      }),
    );
  });

  test('has one variable of each name and vendor: the newest', () => {
    const first = withVariables(
      aTemplate(4000),
      [aVariable('PK', Uint8Array.of(1)), aVariable('a', Uint8Array.of(2))],
      'v',
    );
    const next = { ...aVariable('PK', Uint8Array.of(3)), attributes: 0x27 };
    const second = readVariables(withVariables(first, [next], 'v'), 'v');
    assert.deepEqual(
      second.map(({ name, data }) => [name, ...data]),
      [
        ['PK', 3],
        ['a', 2],
      ],
    );
    assert.equal(second[0]?.attributes, 0x27);
  });

  test('leaves out what was deleted, and what was never finished', () => {
    const file = withVariables(
      aTemplate(4000),
      [aVariable('a', Uint8Array.of(1)), aVariable('b', Uint8Array.of(2))],
      'v',
    );
    file[72 + 28 + 2] = 0x3c;
    assert.deepEqual(
      readVariables(file, 'v').map(({ name }) => name),
      ['b'],
    );
  });

  test('refuses variables that do not fit', () => {
    const large = aVariable('large', new Uint8Array(4000));
    assert.throws(() => withVariables(aTemplate(4000), [large], 'vars.fd'), {
      code: 'CONFIG_INVALID',
      message: /vars\.fd: expected room for large/,
    });
  });

  test('is refused when it is no store, a damaged one, or one without authenticated variables', () => {
    const template = aTemplate(400);
    for (const [at, byte] of [
      [40, 0],
      [72, 0],
      [91, 0xff],
      [92, 0],
      [93, 0x7f],
    ] as const) {
      const file = template.slice();
      file[at] = byte;
      assert.throws(() => readVariables(file, 'vars.fd'), { code: 'VARIABLES_MALFORMED' }, `${at}`);
    }
    assert.throws(() => readVariables(new Uint8Array(10), 'vars.fd'), {
      code: 'VARIABLES_MALFORMED',
    });
  });

  test('of any bytes whatever is read within bounds', () => {
    const file = withVariables(aTemplate(400), [aVariable('a', new Uint8Array(20))], 'v');
    const change = fc.record({ at: fc.nat(250), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), fc.nat(file.length), (changes, end) => {
        const bytes = file.slice(0, end);
        for (const { at, byte } of changes) if (at < end) bytes[at] = byte;
        try {
          readVariables(bytes, 'v');
        } catch (error) {
          assert.ok(
            error instanceof EspError && error.code === 'VARIABLES_MALFORMED',
            String(error),
          );
        }
      }),
    );
  });
});
