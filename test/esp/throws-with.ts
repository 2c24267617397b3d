/** One assertion for errors that people read: they carry a code, and a hint that helps. */
import assert from 'node:assert/strict';
import { type ErrorCode, EspError } from '../../src/error.ts';

/** Asserts that work fails with a code. */
export function throwsWith(code: ErrorCode, work: () => unknown): void {
  assert.throws(
    work,
    (error) => error instanceof EspError && error.code === code && error.hint !== undefined,
  );
}
