import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { EspError } from '../../src/error.ts';
import { nodeMachine } from '../../src/process/node-machine.ts';
import { certificateSigner } from '../../src/signer/certificate-signer.ts';
import { loadCommandSigner } from '../../src/signer/command-signer.ts';
import { run } from '../lab/run.ts';
import { installCommand, missingTools } from '../lab/tools.ts';
import {
  certificate,
  certificatePath,
  imageDigest,
  privateKey,
  privateKeyPath,
} from './test-key.ts';

const missing = missingTools(['openssl']);
const skip = missing.length > 0 && `SKIPPED, missing tools: ${installCommand(missing)}`;
const NOW = 1_800_000_000;
const HANDS = { disk: nodeDisk(), machine: nodeMachine(new URL(import.meta.url)) };
const SIGN = ['openssl', 'pkeyutl', '-sign', '-pkeyopt', 'digest:sha256', '-inkey'];

const load = (command: readonly string[]) =>
  loadCommandSigner({ certificate: certificatePath, command, batch: false }, HANDS, NOW);

function aFolder(t: TestContext): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'espalier-command-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  return folder;
}

function failsWith(words: RegExp, command: readonly string[]): void {
  const { signer } = load(command);
  assert.throws(
    () => signer.sign(imageDigest()),
    (error) => {
      assert.ok(error instanceof EspError && error.code === 'SIGNER_FAILED', String(error));
      assert.match(error.message, words);
      return true;
    },
  );
}

describe('a signing command', () => {
  test('makes the same signature as the key itself', { skip }, () => {
    const { signer } = load([...SIGN, privateKeyPath]);
    const ours = certificateSigner(certificate, privateKey);
    assert.deepEqual(signer.sign(imageDigest()), ours.sign(imageDigest()));
    assert.equal(signer.fingerprint, ours.fingerprint);
    assert.equal(signer.sign(imageDigest())?.length, signer.signatureSize);
    assert.equal(ours.signatureSize, signer.signatureSize);
  });

  test('is not run before there is something to sign, and once for each image', { skip }, (t) => {
    const log = join(aFolder(t), 'log');
    fs.writeFileSync(log, '');
    const script = `echo run >> ${log}; exec "$0" "$@"`;
    const { signer } = load(['sh', '-c', script, ...SIGN, privateKeyPath]);
    const runs = () => fs.readFileSync(log, 'utf8').split('\n').length - 1;
    assert.equal(runs(), 0);
    for (const name of ['a', 'b', 'a', 'b']) signer.sign(imageDigest(name));
    assert.equal(runs(), 2);
  });

  test('that is not there, fails or hangs up fails the signature with its name', () => {
    failsWith(/\/nowhere\/sign/, ['/nowhere/sign']);
    failsWith(/expected status 0, got 3/, ['sh', '-c', 'exit 3']);
    failsWith(/expected status 0, got SIGKILL/, ['sh', '-c', 'kill -9 $$']);
  });

  test('that answers with anything else is found out', { skip }, (t) => {
    failsWith(/certificate, got nothing$/, ['true']);
    failsWith(/got 32 bytes that are none/, ['cat']);
    const other = join(aFolder(t), 'other.key');
    run('openssl', ['genrsa', '-out', other, '2048']);
    failsWith(/bytes that are none/, [...SIGN, other]);
    // The digest of the digest: what tools do that take any bytes for a message.
    failsWith(/bytes that are none/, ['openssl', 'dgst', '-sha256', '-sign', privateKeyPath]);
  });

  test('for a certificate that is not there is refused before it is run', () => {
    const none = { certificate: '/nowhere/db.pem', command: ['true'], batch: false };
    assert.throws(
      () => loadCommandSigner(none, HANDS, NOW),
      (error) => error instanceof EspError && error.code === 'KEY_INVALID',
    );
  });
});
