/** Every message of the program, as its source has it: it can be acted on, and reads as a sentence. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ERROR_CODES, EspError, explain } from '../src/error.ts';

const SOURCE = join(import.meta.dirname, '../src');

/** The lines of the source that are code, each with its place. */
function lines(): (readonly [place: string, line: string])[] {
  const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) =>
      readFileSync(join(SOURCE, file), 'utf8')
        .split('\n')
        .map((line, index) => [`${file}:${index + 1}`, line] as const),
    )
    .filter(([, line]) => !/^\s*(\/\/|\*|\/\*)/.test(line));
}

/** The lines in which a text stands that no message may have. */
function saying(pattern: RegExp): string[] {
  return lines()
    .filter(([, line]) => pattern.test(line))
    .map(([place, line]) => `${place}: ${line.trim()}`);
}

describe('an error', () => {
  for (const code of ERROR_CODES.filter((each) => each !== 'CONFIG_INVALID')) {
    test(`${code} says what to do, in one line, where nobody knew better`, () => {
      const { hint = '' } = new EspError(code, 'it is broken');
      assert.match(hint, /^[`a-z][^\n]{8,}[^.\s]$/);
      assert.equal(new EspError(code, 'it is broken', { hint: 'do this' }).hint, 'do this');
    });
  }

  test('says of the kernel’s words no number and no path a second time', () => {
    for (const [cause, expected] of [
      [{ syscall: 'open', code: 'EIO', text: "EIO: i/o error, open '/x'" }, 'x: because i/o error'],
      [{ syscall: 'spawn /x', code: 'ENOENT', text: 'spawn /x ENOENT' }, 'x'],
      [{ syscall: 'kill', code: 'ESRCH', text: 'kill ESRCH' }, 'x'],
    ] as const) {
      const { syscall, code, text } = cause;
      const kernels = Object.assign(new Error(text), { syscall, code });
      assert.equal(explain(new EspError('IO', 'x', { cause: kernels })), expected);
    }
  });
});

/** What the program counts. A limit that is a constant is always many. */
const NOUNS =
  'files|programs|findings|phases|steps|entries|generations|paths|policies|images|initrds|kernels|profiles|lines|certificates|signatures|warnings|errors|partitions for';

describe('no message', () => {
  test('counts one thing as several: `counted` says how many there are', () => {
    const counting = new RegExp(`\\$\\{(?![A-Z_]+\\})[^}]+\\} (${NOUNS})\\b`);
    const isMany = /^\S+: .*(wanted\.length\} partitions for|most \$\{|total\.files\} files)/;
    assert.deepEqual(
      saying(counting).filter((line) => !isMany.test(line)),
      [],
    );
  });

  test('speaks in the words of a schema: `complaintOf` has those of people', () => {
    assert.deepEqual(
      saying(/\bissue\.message\b/).filter((line) => !line.startsWith('generation/complaint.ts')),
      [],
    );
  });

  test('has a placeholder in it', () => {
    const texts = /(throw|message|hint|misuse|warn).*['"`].*(\bTODO\b|\bFIXME\b|<[a-z-]+>|\bfoo\b)/;
    assert.deepEqual(saying(texts), []);
  });
});
