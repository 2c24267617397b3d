import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { digestOf } from '../../src/digest.ts';
import { EspError } from '../../src/error.ts';
import {
  formatSignatures,
  formatSigningRequest,
  readSignatures,
  readSigningRequest,
} from '../../src/signer/signing-document.ts';
import { treeDisk } from './tree-disk.ts';

const CERTIFICATE = 'c'.repeat(64);
const PATH = '/document.json';
const IMAGE = new Uint8Array(32);
const diskWith = (content: string) => treeDisk({ [PATH]: { content } });

const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(digestOf);
const program = fc.record(
  {
    what: fc.constantFrom('kernel', 'loader', 'uki', 'thin', 'program'),
    path: fc.option(fc.string()),
    source: fc.string(),
    size: fc.nat(),
    image: digest,
  },
  { requiredKeys: ['what', 'path', 'size', 'image'] },
);
const signature = fc.record({
  digest,
  signature: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString('base64')),
});

describe('signing documents', () => {
  test('a request comes back from its text, with what is to be signed for each program', () => {
    fc.assert(
      fc.property(fc.array(program), (programs) => {
        const text = formatSigningRequest(CERTIFICATE, programs);
        const request = readSigningRequest(PATH, diskWith(text));
        assert.equal(request.certificate, CERTIFICATE);
        const without = request.programs.map(({ digest: _digest, ...rest }) => rest);
        assert.deepEqual(
          without,
          programs.map((each) => ({ ...each })),
        );
      }),
    );
  });

  test('signatures come back from their text', () => {
    fc.assert(
      fc.property(fc.array(signature), (signatures) => {
        const disk = diskWith(formatSignatures(CERTIFICATE, signatures));
        assert.deepEqual(
          readSignatures(PATH, disk).signatures,
          signatures.map((each) => ({ ...each })),
        );
      }),
    );
  });

  for (const read of [readSigningRequest, readSignatures]) {
    test(`${read.name} takes any text for a document, or refuses it with a code`, () => {
      const isRefused = (text: string) => {
        try {
          read(PATH, diskWith(text));
        } catch (error) {
          assert.ok(error instanceof EspError && error.code === 'KEY_INVALID', String(error));
        }
      };
      fc.assert(fc.property(fc.string(), isRefused));
      fc.assert(fc.property(fc.json(), isRefused));
      isRefused('['.repeat(100_000));
    });
  }

  test('one is not taken for the other', () => {
    const request = formatSigningRequest(CERTIFICATE, []);
    assert.throws(() => readSignatures(PATH, diskWith(request)), /document\.json: kind/);
  });

  test('a program may be of a kind that this version does not know, and is called by one word', () => {
    const program = (what: string) => ({ what, path: null, size: 1, image: digestOf(IMAGE) });
    const read = (what: string) =>
      readSigningRequest(PATH, diskWith(formatSigningRequest(CERTIFICATE, [program(what)])));
    assert.equal(read('shared').programs[0]?.what, 'shared');
    for (const what of ['', 'two words', '\u001b[2J']) {
      assert.throws(() => read(what), { code: 'KEY_INVALID', message: /what: expected a word/ });
    }
  });
});
