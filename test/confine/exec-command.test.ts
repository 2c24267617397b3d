import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseExec } from '../../src/confine/exec-command.ts';
import { EspError } from '../../src/error.ts';

describe('a command', () => {
  const examples: readonly (readonly [string, string, readonly string[], boolean])[] = [
    ['/bin/a b "c d"', '/bin/a', ['b', 'c d'], false],
    ['-/bin/a', '/bin/a', [], true],
    ['@/bin/a name b', '/bin/a', ['b'], false],
    ['!!@-:/bin/a name', '/bin/a', [], true],
    ['+|/bin/a', '/bin/a', [], false],
    ['"-/bin/a b" c', '/bin/a b', ['c'], true],
    [String.raw`/bin/a \; b`, '/bin/a', [';', 'b'], false],
    ['a.out %i', 'a.out', ['%i'], false],
    ['%h/bin/a', '%h/bin/a', [], false],
  ];
  for (const [value, program, parameters, mayFail] of examples) {
    test(`${value} executes ${program}`, () => {
      assert.deepEqual(parseExec(value), [{ program, parameters, mayFail }]);
    });
  }

  test('is one of several between lone semicolons', () => {
    const programs = parseExec('/a ; -/b ";" c ; /d;e').map(({ program }) => program);
    assert.deepEqual(programs, ['/a', '/b', '/d;e']);
  });

  test('that names nothing, or a path from nowhere, is refused', () => {
    for (const value of ['-', 'bin/a', '""', '/bin/', '/bin/true ; ..']) {
      assert.throws(() => parseExec(value), { code: 'CONFIG_INVALID' });
    }
  });

  test('of any kind is read or refused, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        try {
          parseExec(value);
        } catch (error) {
          assert.ok(error instanceof EspError, String(error));
        }
      }),
    );
  });
});
