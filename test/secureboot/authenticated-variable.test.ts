import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { EspError } from '../../src/error.ts';
import type { Guid } from '../../src/guid.ts';
import {
  bytesToSign,
  formatAuthenticatedWrite,
  parseAuthenticatedWrite,
} from '../../src/secureboot/authenticated-variable.ts';
import { KEY_NAMES, type KeyVariable } from '../../src/secureboot/key-variable.ts';
import { formatSignatureLists, X509 } from '../../src/secureboot/signature-list.ts';
import { signDetached } from '../../src/signer/detached-signature.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificateDer, certificatePath, privateKey, privateKeyPath } from '../signer/test-key.ts';

const OWNER = '5b2a6b0e-4f5c-4d0c-9a55-6c1f7e0f7a11' as Guid;
/** In a month that counting from 0 would get wrong, and in a year of its own. */
const TIME = Date.UTC(2027, 0, 31, 23, 58, 59) / 1000;
const content = formatSignatureLists([{ type: X509, owner: OWNER, data: certificateDer }]);
const missing = missingTools(['efitools', 'openssl']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;

function signedWrite(variable: KeyVariable): Uint8Array {
  const toSign = bytesToSign(variable, TIME, content);
  const signature = signDetached(toSign, certificateDer, privateKey);
  return formatAuthenticatedWrite({ time: TIME, signature, content });
}

function aFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-auth-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('a write comes back from its bytes', () => {
  const anyWrite = fc.record(
    {
      time: fc.integer({ min: 0, max: 253_402_300_799 }),
      signature: fc.uint8Array({ maxLength: 100 }),
      content: fc.uint8Array({ maxLength: 100 }),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(anyWrite, (write) => {
      assert.deepEqual(parseAuthenticatedWrite(formatAuthenticatedWrite(write)), write);
    }),
  );
});

test('bytes of any kind are a write, or malformed', () => {
  const header = signedWrite('db').subarray(0, 40);
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(fc.nat(39), fc.nat(255), fc.uint8Array({ maxLength: 9 })).map(([at, byte, rest]) => {
      return Uint8Array.from([...header.with(at, byte), ...rest]);
    }),
  );
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      try {
        parseAuthenticatedWrite(bytes);
      } catch (error) {
        assert.ok(error instanceof EspError && error.code === 'SIGNATURE_MALFORMED', String(error));
      }
    }),
  );
});

test('a month that is none, as of tools that count from 0, is malformed', () => {
  assert.throws(() => parseAuthenticatedWrite(signedWrite('db').with(2, 0)), /expected a time/);
});

test('the 30th of February is malformed', () => {
  const bytes = signedWrite('db').with(2, 2).with(3, 30);
  assert.throws(() => parseAuthenticatedWrite(bytes), /expected a time/);
});

test('a signature that claims to be longer than the file is malformed', () => {
  const bytes = formatAuthenticatedWrite({
    time: TIME,
    signature: content,
    content: content.slice(0, 0),
  });
  assert.deepEqual(parseAuthenticatedWrite(bytes).signature, content);
  assert.throws(() => parseAuthenticatedWrite(bytes.subarray(0, -1)), {
    code: 'SIGNATURE_MALFORMED',
    message: /expected an end at 40 to/,
  });
});

test('what is signed to be appended is not what is signed to replace', () => {
  const [replacing, appending] = (['replace', 'append'] as const).map((mode) =>
    bytesToSign('db', TIME, content, mode),
  );
  assert.ok(replacing && appending);
  const at = replacing.findIndex((byte, index) => byte !== appending[index]);
  assert.deepEqual([replacing[at], appending[at]], [0x27, 0x67]);
  assert.deepEqual(replacing.with(at, 0x67), appending);
});

for (const variable of KEY_NAMES) {
  test(`what is signed for ${variable} is what sign-efi-sig-list signs`, { skip }, (t) => {
    const folder = aFolder(t);
    const [list, bundle] = [join(folder, 'list.esl'), join(folder, 'bundle')];
    writeFileSync(list, content);
    // -o writes what would be signed, and signs nothing.
    run('sign-efi-sig-list', ['-o', '-t', '2027-01-31 23:58:59', variable, list, bundle]);
    assert.deepEqual(bytesToSign(variable, TIME, content), Uint8Array.from(readFileSync(bundle)));
    run('sign-efi-sig-list', ['-a', '-o', '-t', '2027-01-31 23:58:59', variable, list, bundle]);
    const appended = bytesToSign(variable, TIME, content, 'append');
    assert.deepEqual(appended, Uint8Array.from(readFileSync(bundle)));
  });
}

test('a write is that of sign-efi-sig-list but for its signature', { skip }, (t) => {
  const folder = aFolder(t);
  const [list, auth] = [join(folder, 'list.esl'), join(folder, 'db.auth')];
  writeFileSync(list, content);
  const pair = ['-k', privateKeyPath, '-c', certificatePath];
  run('sign-efi-sig-list', ['-t', '2027-01-31 23:58:59', ...pair, 'db', list, auth]);
  const theirs = parseAuthenticatedWrite(readFileSync(auth));
  assert.equal(theirs.time, TIME);
  assert.deepEqual(Uint8Array.from(theirs.content), content);
  assert.deepEqual(
    signedWrite('db').with(16, 0).with(17, 0).subarray(0, 40),
    Uint8Array.from(readFileSync(auth)).with(16, 0).with(17, 0).subarray(0, 40),
  );
});

test('the signature of a write is good for openssl, and for no other variable', { skip }, (t) => {
  const folder = aFolder(t);
  const file = (name: string, bytes: Uint8Array) => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const { signature } = parseAuthenticatedWrite(signedWrite('KEK'));
  // openssl wants the ContentInfo that firmware does not.
  const wrapped = Buffer.concat([
    Buffer.from('3082', 'hex'),
    lengthOf(signature.length + 15),
    Buffer.from('06092a864886f70d010702a082', 'hex'),
    lengthOf(signature.length),
    signature,
  ]);
  const verify = (signed: string): string =>
    run('openssl', [
      ...['smime', '-verify', '-inform', 'DER', '-in', file('signature.p7', wrapped)],
      ...['-content', signed, '-binary', '-noverify', '-certfile', certificatePath],
      ...['-out', join(folder, 'out')],
    ]);
  verify(file('KEK', bytesToSign('KEK', TIME, content)));
  assert.throws(() => verify(file('PK', bytesToSign('PK', TIME, content))));
});

function lengthOf(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
