import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { signRootHash } from '../../src/signer/verity-signature.ts';
import { parseSignatureDocument } from '../../src/verity/signature-document.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import { certificateDer, certificatePath, privateKey, privateKeyPath } from '../signer/test-key.ts';
import { aDirectory, verity } from './a-directory.ts';

const HEX = 'e287a112b368010413434ffd26b21be2bf3cabb3c6cbf2f5b0d9a451a84579ed';
const KEY = ['--certificate', certificatePath, '--private-key', privateKeyPath];
const sign = (...parameters: readonly string[]) =>
  verity('sign', ...KEY, '--allow-insecure-key', ...parameters);

describe('the signature of a root hash', () => {
  const missing = missingTools(['openssl']);
  const skip = missing.length > 0 && `install it: ${installCommand(missing)}`;

  test('is good for openssl over the text without an end of line, and over nothing else', {
    skip,
  }, async (t) => {
    const at = aDirectory(t);
    await sign(HEX.toUpperCase(), '--output', at('p7s'));
    writeFileSync(at('text'), HEX);
    const verify = (tool: string, content: string) =>
      run('openssl', [
        ...[tool, '-verify', '-binary', '-inform', 'DER', '-in', at('p7s'), '-content', content],
        ...['-CAfile', certificatePath, '-purpose', 'any', '-out', '/dev/null'],
      ]);
    verify('cms', at('text'));
    verify('smime', at('text'));
    writeFileSync(at('line'), `${HEX}\n`);
    assert.throws(() => verify('cms', at('line')), /verif/i);
  });

  test('is byte for byte what openssl makes without signed attributes', { skip }, (t) => {
    const at = aDirectory(t);
    writeFileSync(at('text'), HEX);
    run('openssl', [
      ...['smime', '-sign', '-nocerts', '-noattr', '-binary', '-in', at('text')],
      ...['-signer', certificatePath, '-certfile', certificatePath, '-inkey', privateKeyPath],
      ...['-outform', 'DER', '-out', at('theirs')],
    ]);
    const ours = signRootHash(HEX, certificateDer, privateKey);
    assert.deepEqual(ours, Uint8Array.from(readFileSync(at('theirs'))));
  });

  test('goes into a document for a partition, with the certificate’s fingerprint', async (t) => {
    const at = aDirectory(t);
    writeFileSync(at('usr.roothash'), `${HEX}\n`);
    const { status } = await sign(at('usr.roothash'), '--document', at('sig'));
    assert.equal(status, 0);
    const bytes = readFileSync(at('sig'));
    assert.equal(bytes.length % 4096, 0);
    const text = bytes.toString('latin1').replace(/\0+$/, '');
    const document = parseSignatureDocument(text, 'sig');
    const fingerprint = createHash('sha256').update(certificateDer).digest('hex');
    assert.equal(document.rootHash, HEX);
    assert.equal(document.certificateFingerprint, fingerprint);
    assert.deepEqual(document.signature, signRootHash(HEX, certificateDer, privateKey));
  });

  test('replaces a longer file as a whole', async (t) => {
    const at = aDirectory(t);
    writeFileSync(at('p7s'), new Uint8Array(100_000));
    await sign(HEX, '--output', at('p7s'));
    const der = signRootHash(HEX, certificateDer, privateKey);
    assert.deepEqual(Uint8Array.from(readFileSync(at('p7s'))), der);
  });

  test('is not made without somewhere to put it, or of what is no root hash', async (t) => {
    const at = aDirectory(t);
    await assert.rejects(sign(HEX), { code: 'CONFIG_INVALID', message: /--output, --document/ });
    writeFileSync(at('nothing'), 'nothing');
    await assert.rejects(sign(at('nothing'), '--output', at('p7s')), { code: 'VERITY_MALFORMED' });
    await assert.rejects(sign(at('absent'), '--output', at('p7s')), { code: 'FILE_MISSING' });
  });
});
