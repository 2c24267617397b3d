/** Text of records: what is written is known again, and nothing else is taken for it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { digestInBanks } from '../../src/measure/bank.ts';
import { formatPcrlock, isProgramRecord, programRecord } from '../../src/measure/pcrlock.ts';

const record = programRecord(digestInBanks([Buffer.from('program')], createHash));
const text = formatPcrlock([record]);

test('the record of a program is known again', () => {
  assert.equal(isProgramRecord(text), true);
  assert.deepEqual(JSON.parse(text).records[0].pcr, 4);
});

const OTHERS = {
  'nothing at all': '',
  'no record': '{"records":[]}',
  'two records': formatPcrlock([record, record]),
  'another register': formatPcrlock([{ ...record, pcr: 11 }]),
  'a digest that is cut short': text.replace(/"digest":"../, '"digest":"'),
  'a bank less': text.replace(/\{"hashAlg":"sha384"[^}]*\},/, ''),
  'the text of a text': JSON.stringify(text),
} as const;

for (const [name, other] of Object.entries(OTHERS)) {
  test(`${name} is not taken for one`, () => assert.equal(isProgramRecord(other), false));
}

test('no part of a record is taken for one', () => {
  for (let end = 0; end < text.length; end++)
    assert.equal(isProgramRecord(text.slice(0, end)), false);
});
