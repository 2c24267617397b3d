import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatGuid, guidBytes, parseGuid } from '../src/guid.ts';

test('a GUID lies with its first three groups in reverse', () => {
  const guid = parseGuid('8BE4DF61-93CA-11D2-AA0D-00E098032B8C');
  assert.ok(guid);
  assert.equal(
    Buffer.from(guidBytes(guid)).toString('hex'),
    '61dfe48bca93d211aa0d00e098032b8c',
    'EFI_GLOBAL_VARIABLE, as UEFI headers initialise it',
  );
  assert.equal(formatGuid(guidBytes(guid)), '8be4df61-93ca-11d2-aa0d-00e098032b8c');
});

test('any sixteen bytes are a GUID, and come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
      const guid = formatGuid(bytes);
      assert.equal(parseGuid(guid), guid);
      assert.deepEqual(guidBytes(guid), bytes);
    }),
  );
});

for (const text of ['', '8be4df61', '8be4df61-93ca-11d2-aa0d-00e098032b8c\n', 'not-a-guid']) {
  test(`${JSON.stringify(text)} is no GUID`, () => {
    assert.equal(parseGuid(text), undefined);
  });
}
