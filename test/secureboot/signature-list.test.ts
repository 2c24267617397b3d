import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import type { Guid } from '../../src/guid.ts';
import {
  formatSignatureLists,
  parseSignatureLists,
  type Signature,
  X509,
} from '../../src/secureboot/signature-list.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificateDer, certificatePath } from '../signer/test-key.ts';

const OWNER = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11' as Guid;
const OURS: Signature = { type: X509, owner: OWNER, data: certificateDer };
const missing = missingTools(['efitools']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

const anyGuid = fc.uuid().map((text) => text as Guid);
const anySignature = fc.record(
  {
    type: anyGuid,
    owner: anyGuid,
    data: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  },
  { noNullPrototype: true },
);

test('signatures come back from the lists that they were put into', () => {
  fc.assert(
    fc.property(fc.array(anySignature, { maxLength: 5 }), (signatures) => {
      assert.deepEqual(parseSignatureLists(formatSignatureLists(signatures)), signatures);
    }),
  );
});

test('bytes of any kind are lists, or malformed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        parseSignatureLists(bytes);
      } catch (error) {
        assert.ok(error instanceof EspError && error.code === 'SIGNATURE_MALFORMED', String(error));
      }
    }),
  );
});

test('a list of several digests with a header, as firmware keeps them, gives each digest', () => {
  const digests = [1, 2].map((value) => new Uint8Array(32).fill(value));
  const one = formatSignatureLists([
    {
      type: 'c1c41626-504c-4092-aca9-41f936934328' as Guid,
      owner: OWNER,
      data: new Uint8Array(32),
    },
  ]);
  const owner = one.subarray(28, 44);
  const header = Uint8Array.from([...one.subarray(0, 28), 9, 9, 9, 9]);
  const view = new DataView(header.buffer);
  const list = Buffer.concat([header, ...digests.flatMap((digest) => [owner, digest])]);
  view.setUint32(16, list.length, true);
  view.setUint32(20, 4, true);
  list.set(header);
  assert.deepEqual(
    parseSignatureLists(list).map(({ data }) => Uint8Array.from(data)),
    digests,
  );
});

const broken: readonly (readonly [string, (view: DataView) => void])[] = [
  ['ends before its list', (view) => view.setUint32(16, view.byteLength + 1, true)],
  ['has a list smaller than its header', (view) => view.setUint32(16, 27, true)],
  ['has signatures of no size', (view) => view.setUint32(24, 0, true)],
  ['has signatures without content', (view) => view.setUint32(24, 16, true)],
  ['has a piece of a signature', (view) => view.setUint32(24, 17, true)],
  ['has a header beyond its end', (view) => view.setUint32(20, 0xffff_ffff, true)],
];
for (const [what, damage] of broken) {
  test(`a file that ${what} is malformed`, () => {
    const bytes = formatSignatureLists([OURS]);
    damage(new DataView(bytes.buffer));
    assert.throws(
      () => parseSignatureLists(bytes),
      (error) => error instanceof EspError && error.code === 'SIGNATURE_MALFORMED',
    );
  });
}

test('a list is byte for byte what cert-to-efi-sig-list makes', { skip }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-esl-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const theirs = join(folder, 'db.esl');
  run('cert-to-efi-sig-list', ['-g', OWNER, certificatePath, theirs]);
  assert.deepEqual(formatSignatureLists([OURS]), Uint8Array.from(readFileSync(theirs)));
});
