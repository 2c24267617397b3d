import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import { formatHeader, parseHeader } from '../../src/verity/header-text.ts';
import { chooseRootHash } from '../../src/verity/root-hash.ts';
import { rootHashesIn } from '../../src/verity/root-hash-source.ts';
import { formatSignatureDocument } from '../../src/verity/signature-document.ts';
import { someParameters } from './a-pair.ts';

const HEX = 'e287a112b368010413434ffd26b21be2bf3cabb3c6cbf2f5b0d9a451a84579ed';
const OTHER = HEX.replace('e', 'f');

const source = (content: string | Uint8Array, name = 'a file') => ({
  name,
  content: typeof content === 'string' ? new TextEncoder().encode(content) : content,
});
const found = (...contents: readonly (string | Uint8Array)[]) =>
  rootHashesIn(contents.map((content) => source(content)));

/** A row of systemd-repart's, with what else it has of no account here. */
const row = (type: string, uuid: string, roothash?: string | null) => ({
  ...{ type, uuid, label: type, offset: 1_048_576, activity: 'create' },
  ...(roothash === undefined ? {} : { roothash }),
});
const usr = { hex: HEX, designator: 'usr', architecture: 'x86-64' };

describe('root hashes', () => {
  test('are read from hexadecimal, as a file with or without a line’s end', () => {
    const expected = [{ hex: HEX, designator: 'unknown' }];
    assert.deepEqual(found(HEX.toUpperCase()), expected);
    assert.deepEqual(found(`${HEX}\n`), expected);
  });

  test('are read from what systemd-repart prints, on one row of the group or on all', () => {
    const rows = (onData: string | null) =>
      JSON.stringify([
        row('esp', '1', null),
        row('usr-x86-64', '2', onData),
        row('usr-x86-64-verity', '3', HEX),
        row('usr-x86-64-verity-sig', '4', onData),
      ]);
    assert.deepEqual(found(rows(null)), [usr]);
    assert.deepEqual(found(rows(HEX)), [usr]);
    assert.deepEqual(found(JSON.stringify([row('esp', '1')])), []);
  });

  test('of several runs on one image are put together by the UUID of the partition', () => {
    const first = JSON.stringify([row('usr-arm64-verity', '3', HEX), row('root-arm64', '5', null)]);
    const last = JSON.stringify([row('usr-arm64-verity', '3', 'TBD'), row('esp', '1', null)]);
    const expected = [{ ...usr, architecture: 'arm64' }];
    assert.deepEqual(found(first, last), expected);
    assert.deepEqual(found(last, first), expected);
    const contradicting = JSON.stringify([row('usr-arm64-verity', '3', OTHER)]);
    assert.throws(() => found(first, last, contradicting), {
      code: 'VERITY_MALFORMED',
      message: `a file: partition 3: expected root hash ${HEX} as before, got ${OTHER}`,
    });
  });

  test('are read from a signature partition, padded as it is', () => {
    const document = { rootHash: HEX, signature: Uint8Array.of(1, 2, 3) };
    const bytes = formatSignatureDocument(document);
    assert.equal(bytes.length, 4096);
    assert.deepEqual(found(bytes), [{ hex: HEX, designator: 'unknown' }]);
  });

  test('are read from what veritysetup format prints, with the superblock', () => {
    const superblock = someParameters();
    const rootHash = Uint8Array.from(Buffer.from(HEX, 'hex'));
    const text = formatHeader({ superblock, offset: 0, rootHash }, 'usr.verity');
    assert.deepEqual(found(text), [{ hex: HEX, designator: 'unknown', superblock }]);
    assert.throws(() => found(formatHeader({ superblock, offset: 0 }, 'usr.verity')), {
      code: 'VERITY_MALFORMED',
      hint: /veritysetup dump prints has not/,
    });
    assert.deepEqual(parseHeader(formatHeader({ superblock, offset: 512 }, 'a')), { superblock });
  });

  const malformed: readonly (readonly [string, RegExp])[] = [
    ['', /^a file: expected a root hash, output of/],
    ['beef', /^a file: expected a root hash, output of/],
    [`${HEX}0`, /^a file: expected a root hash, output of/],
    ['[', /^a file: expected JSON$/],
    ['[1]', /^a file: 0: /],
    ['[{"type": "esp", "roothash": 5}]', /^a file: 0.roothash: /],
    ['[{"type": "esp", "roothash": "soon"}]', /^a file: 0.roothash: expected a root hash or TBD$/],
    ['{"rootHash": "x", "signature": ""}', /^a file: rootHash: expected a root hash in hex/],
    [`{"rootHash": "${HEX}", "signature": "?"}`, /^a file: signature: expected base64$/],
    [`{"rootHash": "${HEX}"}`, /^a file: signature: /],
  ];
  for (const [text, message] of malformed) {
    test(`are not in ${JSON.stringify(text.slice(0, 50))}`, () => {
      assert.throws(() => found(text), { code: 'VERITY_MALFORMED', message });
    });
  }

  test('are read from any bytes, or those are refused', () => {
    const good = [
      HEX,
      JSON.stringify([row('usr-x86-64-verity', '3', HEX)]),
      JSON.stringify({ rootHash: HEX, signature: 'AAAA' }),
      formatHeader({ superblock: someParameters(), offset: 0, rootHash: new Uint8Array(32) }, 'a'),
    ];
    const mutated = fc
      .tuple(fc.constantFrom(...good), fc.nat(), fc.nat(8), fc.string({ maxLength: 8 }))
      .map(([text, at, gone, more]) => {
        const start = at % text.length;
        return text.slice(0, start) + more + text.slice(start + gone);
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string(), fc.json()), (text) => {
        try {
          for (const { hex } of found(text)) assert.match(hex, /^[0-9a-f]{32,128}$/);
        } catch (error) {
          assert.ok(error instanceof EspError && error.code === 'VERITY_MALFORMED', String(error));
        }
      }),
      { numRuns: 1000, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
    );
  });
});

describe('the root hash that is meant', () => {
  const root = { hex: OTHER, designator: 'root', architecture: 'x86-64' } as const;
  const both = [{ ...usr, designator: 'usr' } as const, root];

  test('is the one for the file system that is asked for', () => {
    assert.equal(chooseRootHash(both, 'root', 'a').hex, OTHER);
    assert.equal(chooseRootHash([root], undefined, 'a').designator, 'root');
    const unknown = chooseRootHash([{ hex: HEX, designator: 'unknown' }], 'usr', 'a');
    assert.deepEqual(unknown, { hex: HEX, designator: 'usr' });
  });

  test('is not guessed', () => {
    assert.throws(() => chooseRootHash(both, undefined, 'repart.json'), {
      code: 'CONFIG_INVALID',
      message: `repart.json: expected one root hash, got usr x86-64 ${HEX}, root x86-64 ${OTHER}`,
    });
    assert.throws(() => chooseRootHash([root], 'usr', 'repart.json'), {
      message: 'repart.json: expected one root hash for usr, got none',
    });
  });
});
