/** What a person reads of an error: each thing once. */
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { test } from 'node:test';
import { EspError, explain } from '../src/error.ts';
import { ioError, missing } from '../src/io-error.ts';

/** What the kernel says of a path. */
function said(path: string): unknown {
  try {
    openSync(path, 'r+');
  } catch (error) {
    return error;
  }
  return assert.fail(`${path} was opened`);
}

test('number and path stand once, and then the words of the kernel', () => {
  assert.equal(
    explain(ioError('open', '/', said('/'))),
    'cannot open /: EISDIR: because illegal operation on a directory',
  );
});

test('what is not there is told without a reason, and what leads nowhere with one', () => {
  assert.equal(explain(missing('/none', said('/none'))), '/none does not exist');
  const path = '/proc/version/x';
  assert.equal(
    explain(missing(path, said(path))),
    `${path} does not exist: because not a directory`,
  );
});

test('a cause that is not the kernel’s is told whole', () => {
  const cause = new Error('ABC: odd, open to question');
  assert.equal(
    explain(new EspError('IO', 'failed', { cause })),
    'failed: because ABC: odd, open to question',
  );
});
