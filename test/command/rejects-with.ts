/** One assertion for errors that people read: their code, and their words with those of their causes. */
import assert from 'node:assert/strict';
import { type ErrorCode, EspError, explain } from '../../src/error.ts';

/** Asserts that work fails with a code and with words that match. */
export async function rejectsWith(
  code: ErrorCode,
  words: RegExp,
  work: Promise<unknown>,
): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof EspError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(explain(error), words);
    return true;
  });
}
