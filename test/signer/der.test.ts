import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { octets, oid, parseDer, sequence, setOf, tagged } from '../../src/signer/der.ts';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

test('an element is read with its content and its children', () => {
  const element = parseDer(hex('30 06 0201 05 0401 ff'));
  assert.deepEqual(element?.content, hex('020105 0401ff'));
  assert.deepEqual(
    element?.children.map(({ tag, content }) => [tag, ...content]),
    [
      [0x02, 5],
      [0x04, 0xff],
    ],
  );
});

const refused: Readonly<Record<string, string>> = {
  'no bytes': '',
  'a tag alone': '30',
  'bytes behind the element': '0500 00',
  'an indefinite length': '3080 020105 0000',
  'a length longer than it needs to be': '30 81 03 020105',
  'a two-byte length longer than it needs to be': '30 82 0003 020105',
  'a length in four bytes': '30 84 00000003 020105',
  'a length beyond the input': '30 84 ffffffff 00',
  'a child that reaches beyond its parent': '30 03 020501 0203',
  'a tag number of more than five bits': '1f 1e 01 00',
  'a child that is cut short': '30 03 020305',
  'a string in parts, which DER has not': '2c 03 020105',
};

for (const [what, bytes] of Object.entries(refused)) {
  test(`${what} is not DER`, () => {
    assert.equal(parseDer(hex(bytes)), undefined);
  });
}

test('32 levels are read and a thousand are refused', () => {
  const nested = (levels: number) => {
    let element: Uint8Array = hex('0500');
    for (let level = 0; level < levels; level++) element = sequence(element);
    return element;
  };
  assert.notEqual(parseDer(nested(30)), undefined);
  assert.equal(parseDer(nested(1000)), undefined);
});

test('ten thousand elements are refused', () => {
  assert.equal(parseDer(sequence(...Array.from({ length: 10_000 }, () => hex('0500')))), undefined);
});

test('anything at all is read or refused, and what is read fills its input', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      const element = parseDer(bytes);
      if (element !== undefined) assert.deepEqual(element.whole, bytes);
    }),
    { numRuns: 2000 },
  );
});

const element = fc.letrec<{ tree: Uint8Array }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.uint8Array({ maxLength: 300 }).map(octets),
    fc.array(tie('tree'), { maxLength: 4 }).map((parts) => sequence(...parts)),
    fc.array(tie('tree'), { maxLength: 4 }).map((parts) => setOf(...parts)),
    fc.array(tie('tree'), { maxLength: 4 }).map((parts) => tagged(3, ...parts)),
  ),
})).tree;

test('whatever is written is read back', () => {
  fc.assert(
    fc.property(element, (bytes) => {
      assert.deepEqual(parseDer(bytes)?.whole, bytes);
    }),
  );
});

test('a SET OF does not depend on the order in which its members are given', () => {
  fc.assert(
    fc.property(fc.array(element, { maxLength: 5 }), (members) => {
      assert.deepEqual(setOf(...members), setOf(...members.toReversed()));
    }),
  );
});

test('object identifiers are encoded as in X.690', () => {
  assert.deepEqual(oid('1.3.6.1.4.1.311.2.1.4'), hex('060a 2b060104018237020104'));
});
