import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { bytesSource } from '../../src/byte-source.ts';
import { authenticodeDigestInput } from '../../src/pe/authenticode.ts';
import { certificateTable, signedLayout } from '../../src/pe/certificate-table.ts';
import type { Piece } from '../../src/pe/image-layout.ts';
import { parsePe } from '../../src/pe/pe.ts';
import { certificateSigner } from '../../src/signer/certificate-signer.ts';
import { findParts } from '../lab/parts.ts';
import { certificatePath, imageDigest, privateKeyPath } from './test-key.ts';

const IMAGE = findParts()?.systemdBoot[252] ?? 'a real systemd-boot';
const directory = mkdtempSync(join(tmpdir(), 'espalier-signer-'));
after(() => rmSync(directory, { recursive: true }));

function run(program: string, ...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${argv.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

function isMissing(t: TestContext, ...programs: string[]): boolean {
  const missing = [
    ...programs.filter((program) => spawnSync(program, ['--version']).error !== undefined),
    ...[IMAGE].filter((file) => !existsSync(file)),
  ];
  if (missing.length > 0) t.skip(`needs ${missing.join(', ')}`);
  return missing.length > 0;
}

function digestOf(image: Uint8Array): Uint8Array {
  const sha256 = createHash('sha256');
  for (const chunk of authenticodeDigestInput(bytesSource(image))) sha256.update(chunk);
  return Uint8Array.from(sha256.digest());
}

function signaturesOf(image: Uint8Array): readonly Uint8Array[] {
  return certificateTable(bytesSource(image), parsePe(bytesSource(image)));
}

function bytesOf(piece: Piece): Uint8Array {
  if (piece.kind === 'bytes') return piece.bytes;
  if (piece.kind === 'zeros') return new Uint8Array(piece.size);
  return readFileSync(piece.path).subarray(piece.offset, piece.offset + piece.size);
}

/** A key with its certificate, and what the tools need to know of them. */
interface Pair {
  readonly certificatePath: string;
  readonly privateKeyPath: string;
}

function makePair(bits: number, name = `${bits}`): Pair {
  const pair = {
    certificatePath: join(directory, `${name}.pem`),
    privateKeyPath: join(directory, `${name}.key`),
  };
  if (existsSync(pair.certificatePath)) return pair;
  run(
    'openssl',
    ...['req', '-x509', '-newkey', `rsa:${bits}`, '-nodes', '-days', '2', '-subj', '/CN=Test only'],
    ...['-keyout', pair.privateKeyPath, '-out', pair.certificatePath],
  );
  return pair;
}

function signerOf(pair: Pair) {
  return certificateSigner(
    new X509Certificate(readFileSync(pair.certificatePath)),
    createPrivateKey(readFileSync(pair.privateKeyPath)),
  );
}

/** Signs the image at a path with our own signer, and returns the path of the signed one. */
function signed(path: string, pair: Pair, name: string): string {
  const image = readFileSync(path);
  const signature = signerOf(pair).sign(digestOf(image)) ?? new Uint8Array();
  const { pieces } = signedLayout(bytesSource(image), path, signature);
  const output = join(directory, name);
  writeFileSync(output, Buffer.concat(pieces.map(bytesOf)));
  return output;
}

const fixture: Pair = { certificatePath, privateKeyPath };

for (const bits of [2048, 3072, 4096]) {
  describe(`with RSA ${bits}`, () => {
    test('what we sign is valid for sbverify and osslsigncode', (t) => {
      if (isMissing(t, 'openssl', 'sbverify', 'osslsigncode')) return;
      const pair = bits === 2048 ? fixture : makePair(bits);
      const image = signed(IMAGE, pair, `ours-${bits}.efi`);
      run('sbverify', '--cert', pair.certificatePath, image);
      run('osslsigncode', 'verify', '-CAfile', pair.certificatePath, image);
    });

    test('what sbsign signs is valid for us', (t) => {
      if (isMissing(t, 'openssl', 'sbsign')) return;
      const pair = bits === 2048 ? fixture : makePair(bits);
      const output = join(directory, `sbsign-${bits}.efi`);
      const { certificatePath: certificate, privateKeyPath: key } = pair;
      run('sbsign', '--cert', certificate, '--key', key, '--output', output, IMAGE);
      const image = readFileSync(output);
      assert.deepEqual(signerOf(pair).verify(signaturesOf(image), digestOf(image)), {
        kind: 'valid',
      });
      assert.equal(signerOf(pair).verify(signaturesOf(image), imageDigest()).kind, 'invalid');
    });
  });
}

test('our signature beside an older one is found by sbverify and by us', (t) => {
  if (isMissing(t, 'openssl', 'sbsign', 'sbverify')) return;
  const other = makePair(2048, 'other');
  const output = join(directory, 'older.efi');
  const { certificatePath: certificate, privateKeyPath: key } = other;
  run('sbsign', '--cert', certificate, '--key', key, '--output', output, IMAGE);
  const both = signed(output, fixture, 'both.efi');
  for (const pair of [other, fixture]) {
    run('sbverify', '--cert', pair.certificatePath, both);
    const image = readFileSync(both);
    assert.equal(signerOf(pair).verify(signaturesOf(image), digestOf(image)).kind, 'valid');
  }
});

test('what osslsigncode signs is valid for us', (t) => {
  if (isMissing(t, 'osslsigncode')) return;
  const output = join(directory, 'osslsigncode.efi');
  const pair = ['-certs', certificatePath, '-key', privateKeyPath];
  run('osslsigncode', 'sign', '-h', 'sha256', ...pair, '-in', IMAGE, '-out', output);
  const image = readFileSync(output);
  assert.deepEqual(signerOf(fixture).verify(signaturesOf(image), digestOf(image)), {
    kind: 'valid',
  });
});

test('our signature differs from one of sbsign in nothing but the optional attributes', (t) => {
  if (isMissing(t, 'openssl', 'sbsign')) return;
  const output = join(directory, 'structure.efi');
  run('sbsign', '--cert', certificatePath, '--key', privateKeyPath, '--output', output, IMAGE);
  const image = readFileSync(output);
  const [theirs = new Uint8Array()] = signaturesOf(image);
  const ours = signerOf(fixture).sign(digestOf(image)) ?? new Uint8Array();
  const [signedByThem, signedByUs] = [theirs, ours].map(structure);
  const optional = /signingTime|S\/MIME Capabilities/;
  const attributes = (signedByThem ?? []).filter((line) => optional.test(line));
  assert.equal(attributes.length, 2);
  assert.deepEqual(signedByUs, withoutAttributes(signedByThem ?? [], optional));
});

/** The lines of openssl's view: depth, kind, and value, without offsets, lengths or the signature. */
function structure(der: Uint8Array): readonly string[] {
  const path = join(directory, 'signature.der');
  writeFileSync(path, der);
  const lines = run('openssl', 'asn1parse', '-inform', 'DER', '-in', path).trim().split('\n');
  return lines
    .map((line) => line.replace(/^ *\d+:(d= *\d+) +hl=\d+ +l= *\d+ /, '$1 '))
    .map((line) => line.replace(/(OCTET STRING +\[HEX DUMP\]:).{512,}/, '$1'));
}

/** Leaves out the attributes whose type matches: their SEQUENCE line and all that is deeper. */
function withoutAttributes(lines: readonly string[], type: RegExp): readonly string[] {
  const kept: string[] = [];
  let dropping = 0;
  for (const [index, line] of lines.entries()) {
    const depth = Number(/d= *(\d+)/.exec(line)?.[1]);
    if (dropping > 0 && depth > dropping) continue;
    dropping = type.test(lines[index + 1] ?? '') ? depth : 0;
    if (dropping === 0) kept.push(line);
  }
  return kept;
}
