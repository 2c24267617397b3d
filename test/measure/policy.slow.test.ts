/** Policies for PCR 11 and their signatures: those of systemd-measure 262, digit by digit. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesSource } from '../../src/byte-source.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { measuredImage } from '../../src/measure/image.ts';
import { policiesFor, policyDocument } from '../../src/measure/policy.ts';
import { loadPolicyKey } from '../../src/signer/policy-key.ts';
import { BANKS, type Bank } from '../../src/uki/pcr-bank.ts';
import {
  combined,
  formatPolicies,
  type PolicyDocument,
  parsePolicies,
  withSignatures,
} from '../../src/uki/pcrsig.ts';
import { DEFAULT_PHASES, normalizePhases } from '../../src/uki/phase.ts';
import { bounds } from '../property/bounds.ts';
import { POLICY_KEY, POLICY_PUBLIC_KEY, VECTORS, vectorImage } from './vectors.ts';

const files = { privateKey: POLICY_KEY, publicKey: POLICY_PUBLIC_KEY, allowInsecureKey: true };
const key = loadPolicyKey(files, { uid: 0, stores: [] }, nodeDisk());

const events = measuredImage(bytesSource(vectorImage()), createHash).eventsOf({ secureBoot: true });

/** The document of some policies, signed here or to be signed elsewhere. */
function document(
  finish: 'sig' | 'tbs',
  { banks = BANKS, phases = DEFAULT_PHASES, reference = '' }: Partial<Request> = {},
): PolicyDocument {
  const named = reference === '' ? {} : { reference };
  const policies = policiesFor(events, { banks, phases, ...named }, createHash);
  return policyDocument(policies, key.fingerprint, ({ tbs }) => {
    if (finish === 'tbs') return { tbs };
    const [signature] = key.sign([{ name: '', bytes: Buffer.from(tbs, 'hex') }]);
    assert.ok(signature && key.verify(Buffer.from(tbs, 'hex'), signature));
    return { sig: Buffer.from(signature).toString('base64') };
  });
}

interface Request {
  readonly banks: readonly Bank[];
  readonly phases: readonly string[];
  readonly reference: string;
}

test('in every bank and phase, the signature is that of systemd-measure', () => {
  assert.deepEqual(document('sig'), VECTORS.sign);
});

test('what somebody else has to sign is what systemd-measure says', () => {
  assert.deepEqual(document('tbs'), VECTORS.policyDigest);
});

const FIRST = { banks: ['sha256'], phases: ['enter-initrd'] } as const;

test('a reference is signed along, and named', () => {
  const bound = { ...FIRST, reference: 'initrd' };
  assert.deepEqual(document('sig', bound), JSON.parse(VECTORS.signWithReference));
  assert.deepEqual(document('tbs', bound), JSON.parse(VECTORS.policyDigestWithReference));
});

test('keys stand in the order of systemd-measure', () => {
  assert.equal(JSON.stringify(document('sig', FIRST)), VECTORS.signShort.trim());
});

test('signatures from elsewhere make of it what would have been signed here', () => {
  const asked = document('tbs');
  const both = withSignatures(asked, document('sig'));
  const without = Object.entries(both).map(([bank, list]) => [
    bank,
    list.map(({ tbs: _, ...entry }) => entry),
  ]);
  assert.deepEqual(Object.fromEntries(without), VECTORS.sign);
  assert.deepEqual(withSignatures(asked, {}), asked);
});

test('the text is that of Python: read again it is the same, and joined with itself too', () => {
  const text = fc.string({ unit: 'binary', maxLength: 8 });
  const hex = fc
    .uint8Array({ minLength: 1, maxLength: 4 })
    .map((bytes) => Buffer.from(bytes).toString('hex'));
  const entry = fc.record(
    { pcrs: fc.array(fc.nat(23), { maxLength: 2 }), ref: text, pol: hex, sig: text },
    { requiredKeys: ['pcrs', 'pol'], noNullPrototype: true },
  );
  const some = fc.dictionary(
    fc.constantFrom('sha1', 'sha256', 'odd'),
    fc.uniqueArray(entry, { selector: (each) => JSON.stringify(each) }),
  );
  fc.assert(
    fc.property(some, (made) => {
      const written = formatPolicies(made);
      assert.match(written, /^[ -~]*$/);
      const read = parsePolicies(written, 'it');
      assert.deepEqual(read, { ...made });
      assert.deepEqual(combined([read, read]), read);
    }),
    bounds(200),
  );
});

for (const [what, text] of [
  ['no JSON', '{'],
  ['a list', '[]x'],
  ['no policy', '{"sha256":[{}]}'],
  ['no hexadecimal', '{"sha256":[{"pcrs":[11],"pol":"x"}]}'],
] as const) {
  test(`${what} is no document of policies`, () => {
    assert.throws(() => parsePolicies(text, 'it'), { code: 'CONFIG_INVALID', message: /^it: / });
  });
}

test('paths of phases are sorted, and each counts once', () => {
  assert.deepEqual(normalizePhases(['b:a', 'a', ':', 'a:', '', 'b::a']), [':', 'a', 'b:a']);
});
